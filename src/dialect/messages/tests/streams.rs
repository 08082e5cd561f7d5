//! Streams: the shapes that nobody records.

use super::written;
use crate::dialect::turn::Event;

#[test]
fn a_whole_stream() {
    let events = written(&[
        Event::Start {
            id: "x",
            model: "m",
        },
        Event::Text(""),
        Event::Text("a"),
        Event::Finish {
            finish: crate::dialect::turn::Finish::Stop,
            stop_sequence: None,
        },
        Event::End,
    ]);
    assert_eq!(events.len(), 6, "{events:?}");
}
