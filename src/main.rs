//! The `switchover` command. Everything is in the library.

fn main() -> std::process::ExitCode {
    switchover::cli::run()
}
