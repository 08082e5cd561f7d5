//! Bytes that nobody should send: changed recordings, and anything at all. `tests/it/hostile` goes further.

use proptest::prelude::{ProptestConfig, any, proptest};

use super::{CLIENTS, STREAMS, reply, said};
use crate::dialect::codec::Destination;
use crate::dialect::format::Format;
use crate::dialect::translation::{answer, request};
use crate::policy::model::ProviderKind;

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// A recording with bytes changed, cut off and in pieces never takes the process down, and makes no flood.
    #[test]
    fn hostile_streams_do_no_harm(
        pick in any::<proptest::sample::Index>(),
        changes in proptest::collection::vec((any::<proptest::sample::Index>(), any::<u8>()), 0..8),
        length in 1_usize..2_000,
        client in proptest::sample::select(&CLIENTS[..]),
    ) {
        let stream = &STREAMS[pick.index(STREAMS.len())];
        let mut bytes = stream.bytes.clone();
        for (at, byte) in changes {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        let (out, _) = said(&bytes, stream.format, client, [length]);
        assert!(out.len() <= 64 * bytes.len() + 65_536, "{}", out.len());
    }

    /// Neither do arbitrary bytes, in place of a request, an answer or a stream.
    #[test]
    fn arbitrary_bytes_do_no_harm(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        let to = Destination {
            kind: ProviderKind::OpenAi,
            model: "m",
            max_output: None,
        };
        for client in CLIENTS {
            for provider in Format::ALL {
                let mut out = Vec::new();
                let _ = request(&mut bytes.clone(), client, &to, provider, false, &mut out);
                let _ = answer(&mut bytes.clone(), provider, client, &reply(), &mut out);
                said(&bytes, provider, client, [7]);
            }
        }
    }
}
