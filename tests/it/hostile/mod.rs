//! Every decoder against what nobody should send: recordings that were changed at random, byte by byte and value by value.
//!
//! ```sh
//! cargo test --test it hostile                                                               # a few thousand inputs
//! SWITCHOVER_ROUNDS=20000 cargo test --release --test it hostile -- --nocapture              # a long run
//! SWITCHOVER_ROUND=answer_chat:42 cargo test --test it hostile -- --nocapture                # one input again
//! SWITCHOVER_CORPUS=target/fuzz/corpus cargo test --test it hostile                          # seeds for tests/fuzz
//! ```
//!
//! The rounds are the same on every machine: what fails today fails tomorrow. Inputs that once failed are in
//! `tests/corpus/hostile`, a file each, named after the decoder.

mod change;
mod files;
mod seeds;

use std::panic::catch_unwind;
use std::path::{Path, PathBuf};
use std::{env, fs};

use self::change::changed;
use self::seeds::seeds;
use crate::decoders::{ALL, Decoder};

/// Inputs for each decoder, unless `SWITCHOVER_ROUNDS` says otherwise.
const ROUNDS: u64 = 16;

#[test]
fn changed_recordings_do_no_harm() {
    let asked = env::var_os("SWITCHOVER_ROUND").map(|asked| asked.into_string().unwrap());
    let rounds = env::var_os("SWITCHOVER_ROUNDS").map_or(ROUNDS, |rounds| {
        rounds.into_string().unwrap().parse().unwrap()
    });
    let mut failed = Vec::new();
    for decoder in ALL {
        let seeds = seeds(decoder.name);
        for round in 0..rounds {
            let name = format!("{}:{round}", decoder.name);
            if asked.as_deref().is_some_and(|asked| asked != name) {
                continue;
            }
            let input = changed(&seeds, round);
            if asked.is_some() {
                println!("{}", String::from_utf8_lossy(&input));
            }
            if catch_unwind(|| (decoder.feed)(&input)).is_err() {
                failed.push(format!("SWITCHOVER_ROUND={name}"));
            }
        }
        if rounds != ROUNDS {
            println!("{}: {} seeds, {rounds} rounds", decoder.name, seeds.len());
        }
    }
    assert!(failed.is_empty(), "{failed:#?}");
}

/// Recordings as they are are read by each decoder that may meet them.
#[test]
fn recordings_do_no_harm() {
    for decoder in ALL {
        let seeds = seeds(decoder.name);
        assert!(!seeds.is_empty(), "{}", decoder.name);
        // Every tenth: `src/dialect/tests` reads all of them.
        for seed in seeds.iter().step_by(10) {
            (decoder.feed)(seed);
        }
        if let Some(corpus) = env::var_os("SWITCHOVER_CORPUS") {
            write(&PathBuf::from(corpus).join(decoder.name), &seeds);
        }
    }
}

fn write(folder: &Path, seeds: &[Vec<u8>]) {
    fs::create_dir_all(folder).unwrap();
    for (number, seed) in seeds.iter().enumerate() {
        fs::write(folder.join(format!("seed-{number}")), seed).unwrap();
    }
}

#[test]
fn what_once_failed_fails_no_more() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/corpus/hostile");
    let mut count = 0;
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_stem().unwrap().to_str().unwrap();
        let is_of = |decoder: &&Decoder| name.starts_with(decoder.name);
        let decoder = ALL.iter().find(is_of).unwrap_or_else(|| panic!("{name}"));
        println!("{name}");
        (decoder.feed)(&fs::read(&path).unwrap());
        count += 1;
    }
    assert!(count > 0);
}

/// A target for each decoder, and no other.
#[test]
fn every_decoder_has_a_fuzz_target() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fuzz");
    let manifest = fs::read_to_string(folder.join("Cargo.toml")).unwrap();
    let mut targets: Vec<_> = fs::read_dir(folder.join("fuzz_targets"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    targets.sort();
    let names: Vec<_> = ALL.iter().map(|decoder| decoder.name).collect();
    let stems: Vec<_> = targets
        .iter()
        .map(|path| path.file_stem().unwrap().to_str().unwrap())
        .collect();
    assert_eq!(stems, names);
    for name in names {
        let text = fs::read_to_string(folder.join(format!("fuzz_targets/{name}.rs"))).unwrap();
        assert!(text.contains(&format!("feed(\"{name}\", bytes)")), "{name}");
        let path = format!("name = \"{name}\"\npath = \"fuzz_targets/{name}.rs\"\n");
        assert!(manifest.contains(&path), "{name}");
    }
}
