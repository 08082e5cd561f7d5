//! Draws diagnostics the way rustc does. A secret that stands in the text is drawn as asterisks.

use annotate_snippets::renderer::DecorStyle;
use annotate_snippets::{
    AnnotationKind, Level, Renderer, Snippet, normalize_untrusted_str as plain,
};

use crate::policy::diag::{Diagnostic, Diagnostics, Severity};
use crate::policy::files::Files;

/// Columns that long source lines are cut to.
const WIDTH: usize = 120;

pub(super) fn render(diagnostics: &Diagnostics, color: bool) -> String {
    let renderer = if color {
        Renderer::styled()
    } else {
        Renderer::plain()
    }
    .decor_style(DecorStyle::Unicode)
    .term_width(WIDTH);
    let mut out = String::new();
    for diagnostic in &diagnostics.list {
        if !out.is_empty() {
            out.push('\n');
        }
        out.push_str(&one(diagnostic, &diagnostics.files, &renderer));
        out.push('\n');
    }
    out
}

fn one(diagnostic: &Diagnostic, files: &Files, renderer: &Renderer) -> String {
    let level = match diagnostic.severity() {
        Severity::Error => Level::ERROR,
        Severity::Warning => Level::WARNING,
        Severity::Note => Level::NOTE,
    };
    let mut group = level
        .primary_title(diagnostic.message.as_str())
        .id(diagnostic.code.as_str())
        .elements(std::iter::empty::<annotate_snippets::Message<'_>>());
    // One snippet a file, the file of the first label first.
    let mut drawn: Vec<u16> = Vec::new();
    for label in &diagnostic.labels {
        let file = label.place.file;
        if drawn.contains(&file) {
            continue;
        }
        drawn.push(file);
        if files.text(file).is_empty() {
            continue;
        }
        let Some((source, first_line, offset)) =
            files.excerpt(file, diagnostic.labels.iter().map(|label| label.place))
        else {
            continue;
        };
        let annotations = diagnostic
            .labels
            .iter()
            .enumerate()
            .filter_map(|(index, label)| {
                if label.place.file != file {
                    return None;
                }
                let start = (label.place.start as usize).checked_sub(offset)?;
                let kind = if index == 0 {
                    AnnotationKind::Primary
                } else {
                    AnnotationKind::Context
                };
                let text = (!label.text.is_empty()).then(|| plain(&label.text));
                Some(
                    kind.span(start..start + label.place.len as usize)
                        .label(text),
                )
            });
        let snippet = Snippet::source(source)
            .path(files.name(file).to_owned())
            .line_start(first_line)
            .annotations(annotations.collect::<Vec<_>>());
        group = group.element(snippet);
    }
    for help in &diagnostic.help {
        group = group.element(Level::HELP.message(plain(help)));
    }
    for fix in &diagnostic.fixes {
        group =
            group.element(Level::HELP.message(plain(&format!("{} (fix available)", fix.title))));
    }
    renderer.render(&[group])
}
