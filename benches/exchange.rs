//! The whole request path without I/O: a 1.5 KB chat request in, a 589-byte answer out; and one event of a stream.
//!
//! What is measured is everything between the bytes of one socket and the bytes of the other: heads, JSON scan, policy,
//! breaker, pick, rewriting, judging the answer, the record.

use std::hint::black_box;

use criterion::{Criterion, criterion_group, criterion_main};

use switchover::exchange::Exchange;
use switchover::ops::Count;

use crate::desk::Desk;

// `cfg(test)`, which benches are built with, tells clippy that a broken policy may end it.
#[cfg(test)]
#[path = "../tests/support/desk.rs"]
mod desk;

fn exchanges(criterion: &mut Criterion) {
    let mut desk = Desk::new();
    let mut exchange = desk.accept();
    let (asked, answered) = (desk::request(false), [desk::answer()]);
    assert!(serve(&mut desk, &mut exchange, &asked, &answered) > 589);
    criterion.bench_function("exchange/answer", |bencher| {
        bencher.iter(|| serve(&mut desk, &mut exchange, &asked, &answered));
    });
    let (asked, answered) = (desk::request(true), desk::stream(100));
    assert!(serve(&mut desk, &mut exchange, &asked, &answered) > 20_000);
    criterion.bench_function("exchange/stream of 100 events", |bencher| {
        bencher.iter(|| serve(&mut desk, &mut exchange, &asked, &answered));
    });
    assert_eq!(desk.totals().of(Count::Answered), desk.requests());
}

/// One request on a kept connection; how many bytes the client got.
fn serve(desk: &mut Desk, exchange: &mut Exchange, asked: &[u8], answered: &[Vec<u8>]) -> usize {
    let mut bytes = 0;
    let answers = black_box(answered).iter().map(Vec::as_slice);
    desk.serve(exchange, [black_box(asked)], answers, |part| {
        bytes += part.len();
    });
    bytes
}

criterion_group!(benches, exchanges);
criterion_main!(benches);
