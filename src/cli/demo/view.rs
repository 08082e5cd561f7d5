//! The live view: a scene into lines of text. Pure, so that every width and state can be tested.

use crate::base::Span;
use crate::engine::{Rule, State};

/// Everything that the view shows.
#[derive(Clone, Debug)]
pub(super) struct Scene {
    pub(super) elapsed: Span,
    pub(super) length: Span,
    /// What is being done to the provider that breaks.
    pub(super) doing: String,
    /// Requests a second: the full length of a bar.
    pub(super) rate: u32,
    pub(super) rows: Vec<Row>,
    pub(super) clients: Clients,
}

/// One target.
#[derive(Clone, Debug)]
pub(super) struct Row {
    pub(super) name: Box<str>,
    pub(super) state: State,
    pub(super) why: Option<Rule>,
    /// Of the cool-down.
    pub(super) left: Option<Span>,
    /// Answers in the last second, times ten.
    pub(super) tenths_a_second: u64,
    pub(super) answered: u64,
}

/// What clients see.
#[derive(Clone, Copy, Debug)]
pub(super) struct Clients {
    pub(super) requests: u64,
    pub(super) answered: u64,
    pub(super) failed: u64,
    pub(super) failovers: u64,
    pub(super) p50: Option<Span>,
    pub(super) p99: Option<Span>,
}

/// How text is set off, in ANSI's words.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Paint {
    Plain,
    Bold,
    Dim,
    Green,
    Yellow,
    Red,
}

/// The scene in lines of at most `columns` characters, without line ends.
pub(super) fn lines(scene: &Scene, columns: usize, colours: bool) -> Vec<String> {
    let title = vec![
        (Paint::Bold, "switchover demo".to_owned()),
        (
            Paint::Plain,
            format!("  {} of {}   ", seconds(scene.elapsed), scene.length),
        ),
        (Paint::Bold, scene.doing.clone()),
    ];
    let widest = scene.rows.iter().map(|row| row.name.len()).max();
    let name_width = widest.unwrap_or_default();
    let rows = scene
        .rows
        .iter()
        .map(|row| row_pieces(row, name_width, columns, scene.rate));
    let mut pieces = vec![title];
    pieces.extend(rows);
    pieces.push(clients_pieces(&scene.clients));
    pieces.push(latency_pieces(&scene.clients));
    pieces
        .iter()
        .map(|pieces| joined(pieces, columns, colours))
        .collect()
}

/// The scene in one line, for what cannot be redrawn.
pub(super) fn one_line(scene: &Scene) -> String {
    let rows = scene.rows.iter().map(|row| {
        format!(
            "{} {} {}/s",
            row.name,
            row.state.as_str(),
            tenths(row.tenths_a_second)
        )
    });
    let rows = rows.collect::<Vec<_>>().join(", ");
    let words = |pieces: Vec<(Paint, String)>| {
        // Without the word in front.
        let words = pieces.into_iter().skip(1).map(|(_, words)| words);
        words.collect::<String>()
    };
    let clients = words(clients_pieces(&scene.clients));
    let latency = words(latency_pieces(&scene.clients));
    format!("{rows}; {clients}, {latency}")
}

/// Something that happened, with its time in front.
pub(super) fn event(at: Span, what: &str) -> String {
    format!("{:>7}  {what}", seconds(at))
}

/// `12.3 s`
pub(super) fn seconds(span: Span) -> String {
    format!("{} s", tenths(span.as_millis() / 100))
}

/// `123 ms`; a dash for none.
pub(super) fn millis(span: Option<Span>) -> String {
    span.map_or_else(|| "-".to_owned(), |span| format!("{} ms", span.as_millis()))
}

fn tenths(value: u64) -> String {
    format!("{}.{}", value / 10, value % 10)
}

fn row_pieces(row: &Row, name_width: usize, columns: usize, rate: u32) -> Vec<(Paint, String)> {
    let paint = match row.state {
        State::Closed => Paint::Green,
        State::Ramp | State::HalfOpen => Paint::Yellow,
        State::Open => Paint::Red,
    };
    // What is known best goes last: first the bar gets narrow, then the note vanishes.
    let taken = name_width + 2 + STATE_WIDTH + 2 + 2 + RATE_WIDTH + TOTAL_WIDTH;
    let left = columns.saturating_sub(taken);
    let (note, bar_width) = match left.checked_sub(NOTE_WIDTH + 2) {
        Some(left) => (format!("{:NOTE_WIDTH$}  ", note(row)), left),
        None => (String::new(), left),
    };
    let bar_width = bar_width.min(BAR_WIDTH_MAX);
    let bar = bar(row.tenths_a_second, u64::from(rate) * 10, bar_width);
    vec![
        (Paint::Plain, format!("{:name_width$}  ", row.name)),
        (paint, format!("{:STATE_WIDTH$}  ", row.state.as_str())),
        (Paint::Dim, note),
        (paint, format!("{bar:bar_width$}  ")),
        (
            Paint::Plain,
            format!(
                "{:>RATE_WIDTH$}",
                format!("{}/s", tenths(row.tenths_a_second))
            ),
        ),
        (Paint::Plain, format!("{:>TOTAL_WIDTH$}", row.answered)),
    ]
}

/// Why it does not pass, and how long that lasts.
fn note(row: &Row) -> String {
    if row.state == State::Closed {
        return String::new();
    }
    let why = row.why.map_or("", |rule| rule.as_str());
    match row.left {
        Some(left) => format!("{why}, {} left", seconds(left)),
        None => why.to_owned(),
    }
}

/// `value` of `full` as a bar of at most `width` characters, in eighths of one.
fn bar(value: u64, full: u64, width: usize) -> String {
    let eighths_max = width as u64 * 8;
    let eighths = (value.min(full) * eighths_max)
        .checked_div(full)
        .unwrap_or_default();
    let part = usize::try_from(eighths % 8)
        .ok()
        .and_then(|part| EIGHTHS.get(part));
    let whole = usize::try_from(eighths / 8).unwrap_or_default();
    let mut bar = "█".repeat(whole);
    bar.push_str(part.copied().unwrap_or_default());
    bar
}

fn clients_pieces(clients: &Clients) -> Vec<(Paint, String)> {
    let paint = if clients.failed > 0 {
        Paint::Red
    } else {
        Paint::Green
    };
    let Clients {
        requests,
        answered,
        failed,
        failovers,
        ..
    } = clients;
    vec![
        (Paint::Bold, "clients  ".to_owned()),
        (
            Paint::Plain,
            format!("{requests} requests, {answered} answered, "),
        ),
        (paint, format!("{failed} failed")),
        (Paint::Plain, format!(", {failovers} failovers")),
    ]
}

fn latency_pieces(clients: &Clients) -> Vec<(Paint, String)> {
    let Clients { p50, p99, .. } = *clients;
    let numbers = format!("p50 {}, p99 {}", millis(p50), millis(p99));
    vec![
        (Paint::Bold, "latency  ".to_owned()),
        (Paint::Plain, numbers),
    ]
}

/// Cut to `columns` characters, then painted.
fn joined(pieces: &[(Paint, String)], columns: usize, colours: bool) -> String {
    let mut left = columns;
    let mut line = String::new();
    for (paint, text) in pieces {
        let cut: String = text.chars().take(left).collect();
        left -= cut.chars().count();
        let code = paint.code();
        if colours && !code.is_empty() && !cut.trim().is_empty() {
            line.push_str(code);
            line.push_str(&cut);
            line.push_str("\x1b[0m");
        } else {
            line.push_str(&cut);
        }
    }
    line.truncate(line.trim_end().len());
    line
}

impl Paint {
    const fn code(self) -> &'static str {
        match self {
            Self::Plain => "",
            Self::Bold => "\x1b[1m",
            Self::Dim => "\x1b[2m",
            Self::Green => "\x1b[32m",
            Self::Yellow => "\x1b[33m",
            Self::Red => "\x1b[31m",
        }
    }
}

/// `half_open`
const STATE_WIDTH: usize = 9;
/// `consecutive, 10.9 s left`
const NOTE_WIDTH: usize = 24;
/// `500.0/s`
const RATE_WIDTH: usize = 7;
/// `300000`, and a space
const TOTAL_WIDTH: usize = 8;
const BAR_WIDTH_MAX: usize = 32;
const EIGHTHS: [&str; 8] = ["", "▏", "▎", "▍", "▌", "▋", "▊", "▉"];

#[cfg(test)]
mod tests {
    use super::{Clients, Row, Scene, bar, event, lines, one_line};
    use crate::base::Span;
    use crate::engine::{Rule, State};

    fn scene() -> Scene {
        let row = |name: &str, state, tenths_a_second| Row {
            name: name.into(),
            state,
            why: Some(Rule::Consecutive),
            left: (state == State::Open).then_some(Span::from_millis(3_100)),
            tenths_a_second,
            answered: 212,
        };
        Scene {
            elapsed: Span::from_millis(7_250),
            length: Span::from_secs(20),
            doing: "alpha is broken: status 503".into(),
            rate: 60,
            rows: vec![
                row("alpha.chat", State::Open, 0),
                row("beta.chat", State::HalfOpen, 600),
                row("gamma.chat", State::Closed, 300),
            ],
            clients: Clients {
                requests: 400,
                answered: 399,
                failed: 1,
                failovers: 7,
                p50: Some(Span::from_millis(140)),
                p99: None,
            },
        }
    }

    #[test]
    fn a_wide_window_shows_everything() {
        let bar = "█".repeat(16);
        let want = [
            "switchover demo  7.2 s of 20s   alpha is broken: status 503".to_owned(),
            format!(
                "alpha.chat  open       consecutive, 3.1 s left   {:32}    0.0/s     212",
                ""
            ),
            format!("beta.chat   half_open  consecutive               {bar}{bar}   60.0/s     212"),
            format!("gamma.chat  closed                               {bar:32}   30.0/s     212"),
            "clients  400 requests, 399 answered, 1 failed, 7 failovers".to_owned(),
            "latency  p50 140 ms, p99 -".to_owned(),
        ];
        assert_eq!(lines(&scene(), 120, false), want);
    }

    #[test]
    fn a_narrow_window_keeps_the_numbers() {
        let lines = lines(&scene(), 60, false);
        assert_eq!(
            lines[1],
            "alpha.chat  open                               0.0/s     212"
        );
        assert_eq!(
            lines[3],
            "gamma.chat  closed     ██████████             30.0/s     212"
        );
    }

    #[test]
    fn no_line_is_wider_than_the_window() {
        for columns in 0..130 {
            for line in lines(&scene(), columns, false) {
                assert!(line.chars().count() <= columns, "{columns}: {line}");
            }
        }
    }

    #[test]
    fn colours_change_nothing_but_colours() {
        let bare = |line: &String| {
            let mut parts = line.split('\x1b');
            let first = parts.next().unwrap_or_default().to_owned();
            let rest = parts.map(|part| part.split_once('m').unwrap().1);
            rest.fold(first, |line, part| line + part)
        };
        for columns in [20, 60, 120] {
            let coloured = lines(&scene(), columns, true);
            assert!(coloured[0].contains("\x1b[1m"), "{coloured:?}");
            let bare: Vec<String> = coloured
                .iter()
                .map(|line| bare(line).trim_end().to_owned())
                .collect();
            assert_eq!(bare, lines(&scene(), columns, false));
        }
    }

    #[test]
    fn bars_have_steps_of_an_eighth() {
        assert_eq!(bar(0, 100, 4), "");
        assert_eq!(bar(50, 100, 4), "██");
        assert_eq!(bar(29, 100, 4), "█▏");
        assert_eq!(bar(900, 100, 4), "████");
        assert_eq!(bar(1, 0, 4), "");
    }

    #[test]
    fn one_line_says_the_same() {
        assert_eq!(
            one_line(&scene()),
            "alpha.chat open 0.0/s, beta.chat half_open 60.0/s, gamma.chat closed 30.0/s; 400 requests, 399 answered, 1 failed, 7 failovers, p50 140 ms, p99 -"
        );
        assert_eq!(
            event(Span::from_millis(6_040), "alpha mended"),
            "  6.0 s  alpha mended"
        );
    }
}
