//! Serving: a request on a kept connection, from its first byte to its answer's last, whole or streamed.

use allocation_counter::measure;

use switchover::exchange::Exchange;
use switchover::ops::Count;

use crate::desk;
use crate::desk::Desk;

#[test]
fn a_whole_answer_allocates_nothing() {
    let (asked, answered) = (desk::request(false), [desk::answer()]);
    assert_eq!(allocations(&asked, &answered), 0);
}

#[test]
fn a_stream_of_any_length_allocates_nothing() {
    let asked = desk::request(true);
    for events in [1, 1_000] {
        assert_eq!(allocations(&asked, &desk::stream(events)), 0, "{events}");
    }
}

/// What events bring that come in pieces, many at once, or with a rest of the next one behind them.
#[test]
fn events_that_are_cut_anywhere_allocate_nothing() {
    let asked = desk::request(true);
    let whole = desk::stream(200).concat();
    for length in [7, 500, 4_000] {
        let reads: Vec<Vec<u8>> = whole.chunks(length).map(<[u8]>::to_vec).collect();
        assert_eq!(allocations(&asked, &reads), 0, "{length}");
    }
}

/// A request of a route with a shadow that is not drawn pays for the draw, and no memory.
#[test]
fn a_request_that_is_not_copied_allocates_nothing() {
    let policy = include_str!("../../benches/bench.policy");
    let shadow = "{ shadow bench.large { share = 0%, max_inflight = 8 }\n";
    let policy: String = policy
        .split_inclusive('\n')
        .map(|line| match line.strip_suffix("{\n") {
            Some(head) if head.starts_with("route ") => format!("{head}{shadow}"),
            _ => line.to_owned(),
        })
        .collect();
    let asked = desk::request(false);
    assert_eq!(
        allocations_under(Desk::under(&policy), &asked, &[desk::answer()]),
        0
    );
}

/// Of one more request, once all memory is there.
fn allocations(asked: &[u8], reads: &[Vec<u8>]) -> u64 {
    allocations_under(Desk::new(), asked, reads)
}

fn allocations_under(mut desk: Desk, asked: &[u8], reads: &[Vec<u8>]) -> u64 {
    let mut exchange = desk.accept();
    for _ in 0..WARM_UP {
        serve(&mut desk, &mut exchange, asked, reads);
    }
    let count = measure(|| {
        for _ in 0..MEASURED {
            serve(&mut desk, &mut exchange, asked, reads);
        }
    });
    assert_eq!(desk.requests(), WARM_UP + MEASURED);
    assert_eq!(desk.totals().of(Count::Answered), desk.requests());
    count.count_total
}

fn serve(desk: &mut Desk, exchange: &mut Exchange, asked: &[u8], reads: &[Vec<u8>]) {
    let answers = reads.iter().map(Vec::as_slice);
    desk.serve(exchange, [asked], answers, |_| {});
}

const WARM_UP: u64 = 3;
const MEASURED: u64 = 5;
