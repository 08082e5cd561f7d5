//! From text to syntax tree: `split` cuts items, `parse` reads each with the pest grammar, `mistake` turns the place
//! where the grammar gave up into a sentence for people.

pub(in crate::policy) mod ast;
pub(in crate::policy) mod leak;
pub(in crate::policy) mod literal;
pub(in crate::policy) mod mistake;
pub(in crate::policy) mod parse;
pub(in crate::policy) mod split;

pub use self::ast::Place;
pub use self::literal::duration;
pub use self::mistake::is_name;
