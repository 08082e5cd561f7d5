//! Every diagnostic, as its author sees it.
