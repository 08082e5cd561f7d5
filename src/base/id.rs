//! Ids instead of references between machines: small numbers that index the tables of one plan.

use std::fmt;

macro_rules! table_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, Default, Eq, Hash, Ord, PartialEq, PartialOrd)]
        pub struct $name(pub u16);

        impl $name {
            /// The index into the plan's table.
            pub const fn index(self) -> usize {
                self.0 as usize
            }
        }
    };
}

table_id! {
    /// A provider of the plan.
    ProviderId
}
table_id! {
    /// A target: one model at one provider.
    TargetId
}
table_id! {
    /// A route of the plan, in file order.
    RouteId
}
table_id! {
    /// A breaker configuration of the plan.
    BreakerId
}
table_id! {
    /// A retries configuration of the plan.
    RetriesId
}

/// Names one request everywhere: in `x-request-id`, in records and in the picks that are derived from it.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct RequestId(pub u128);

impl RequestId {
    /// The id that is written so: 32 hexadecimal digits.
    pub fn from_hex(text: &str) -> Option<Self> {
        let plain = text.len() == 32 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
        let id = plain.then(|| u128::from_str_radix(text, 16).ok())?;
        id.map(Self)
    }

    /// The id as 32 lower-case hexadecimal digits.
    pub fn to_hex(self) -> [u8; 32] {
        const DIGITS: [u8; 16] = *b"0123456789abcdef";
        let mut out = [b'0'; 32];
        let mut rest = self.0;
        for slot in out.iter_mut().rev() {
            // The mask keeps the index below 16.
            *slot = DIGITS.get((rest & 15) as usize).copied().unwrap_or(b'0');
            rest >>= 4;
        }
        out
    }
}

impl fmt::Display for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::RequestId;

    #[test]
    fn hex_and_display_agree() {
        let id = RequestId(0x0123_4567_89ab_cdef_0000_0000_dead_beef);
        assert_eq!(std::str::from_utf8(&id.to_hex()).unwrap(), id.to_string());
    }

    #[test]
    fn ids_are_read_as_they_are_written() {
        let written = RequestId(0xfeed).to_hex();
        let text = std::str::from_utf8(&written).unwrap();
        assert_eq!(RequestId::from_hex(text), Some(RequestId(0xfeed)));
        for bad in [
            "",
            "feed",
            "+0000000000000000000000000000feed",
            &"é".repeat(16),
        ] {
            assert_eq!(RequestId::from_hex(bad), None, "{bad}");
        }
    }
}
