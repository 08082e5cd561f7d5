//! Every bound of the gateway in one place, each with its arithmetic. Policies can lower or raise those that say so.

use crate::base::time::Span;

/// A request head. 13 headers of an SDK are about 600 bytes; a proxy chain with large cookies reaches 16 KiB.
pub const REQUEST_HEAD_BYTES_MAX: usize = 32 * 1024;
/// Header fields of a request.
pub const REQUEST_FIELDS_MAX: usize = 100;
/// The request line: method, target and version.
pub const REQUEST_LINE_BYTES_MAX: usize = 8 * 1024;
/// A response head from a provider.
pub const RESPONSE_HEAD_BYTES_MAX: usize = 64 * 1024;
/// Header fields of a response.
pub const RESPONSE_FIELDS_MAX: usize = 200;
/// A request body unless `server { body_max }` says otherwise: a 200k-token prompt is about 1 MiB, images take more.
pub const BODY_BYTES_MAX: u64 = 32 * 1024 * 1024;
/// A whole answer that is held back so that a failure inside it can still move to another target.
pub const ANSWER_BYTES_MAX: usize = 8 * 1024 * 1024;
/// An error's body from a provider: what is beyond cannot change what kind of error it is.
pub const ERROR_BYTES_MAX: usize = 64 * 1024;
/// Events of a stream that are held back until the first content.
pub const HELD_BYTES_MAX: usize = 64 * 1024;
/// One server-sent event: image data and signatures come in one line.
pub const EVENT_BYTES_MAX: usize = 8 * 1024 * 1024;
/// One message of a binary event stream: AWS allows no longer ones.
pub const EVENT_MESSAGE_BYTES_MAX: usize = 16 * 1024 * 1024;
/// One line that frames a chunk: its size and extensions.
pub const CHUNK_LINE_BYTES_MAX: usize = 256;
/// Trailer fields after a chunked body, together.
pub const TRAILER_BYTES_MAX: usize = 8 * 1024;
/// Nesting of a JSON document.
pub const JSON_DEPTH_MAX: u32 = 128;
/// Targets of one route: a set of them fits one machine word.
pub const ROUTE_TARGETS_MAX: usize = 64;
/// Attempts of one request unless the policy's `max_attempts` says otherwise.
pub const ATTEMPTS_MAX: u8 = 4;
/// A policy, all of its files together: ten times one of 10,000 routes. A debug build parses about one of these MiB in a second.
pub const POLICY_BYTES_MAX: usize = 16 * 1024 * 1024;
/// Items of a policy, all of its files together. There are never more than 65,535 routes.
pub const POLICY_ITEMS_MAX: usize = 100_000;
/// Findings of one kind in the characters of one file: who has more of them has one mistake, often made.
pub const POLICY_MARKS_MAX: usize = 1_000;
/// Providers of a policy: they are compared with each other.
pub const POLICY_PROVIDERS_MAX: u16 = 1_024;
/// Nesting of brackets in a policy.
pub const POLICY_DEPTH_MAX: usize = 64;
/// The most attempts of one request, changes of key aside; a larger `max_attempts` is cut to it. Four targets, each
/// with one repeat: by then the client's own patience is gone.
pub const HISTORY_ATTEMPTS_MAX: usize = 8;
/// What one request's record holds: each attempt, and each change of key.
pub const HISTORY_ENTRIES_MAX: usize = HISTORY_ATTEMPTS_MAX + KEY_TRIES_MAX;
/// Keys of one provider: a set of them fits sixteen bits, and a pool that needs more is better two providers.
pub const KEYS_MAX: usize = 16;
/// How often one request may change to another key of the same provider. They are no attempts by the policy's count:
/// with four dead keys in a row the fifth still answers.
pub const KEY_TRIES_MAX: usize = 4;
/// How long a key counts as lately rate-limited after a pause has ended: providers count by the minute.
pub const KEY_CALM: Span = Span::from_secs(60);
/// How long a provider's key rests after it was refused (401, 403). One wasted request a minute is what it costs to
/// notice that somebody repaired the key at the provider.
pub const KEY_REST: Span = Span::from_secs(60);
/// How long a provider's key rests after its quota was used up: those last for hours, so it is asked less often.
pub const QUOTA_REST: Span = Span::from_secs(300);
/// How long a target is left out after its model was gone. Models have come back after weeks (2026-07-01), never after
/// seconds.
pub const MODEL_REST: Span = Span::from_secs(300);
/// The first pause after a 429 that does not say how long; doubles with each further one.
pub const PAUSE_FIRST: Span = Span::from_secs(1);
/// What an attempt leaves of the request's deadline when another target could still be asked: connect and first byte
/// of a near provider fit into it.
pub const DEADLINE_RESERVE: Span = Span::from_millis(50);
/// How often a request that waits for a place at a target looks for one: a beat of its worker.
pub const QUEUE_LOOK: Span = Span::from_millis(5);
/// How often the control thread sums the cores' counts and judges the breakers.
pub const TICK: Span = Span::from_millis(100);
