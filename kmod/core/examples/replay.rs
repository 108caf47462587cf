// SPDX-License-Identifier: GPL-2.0-only
//! Reads what hosts have really sent and received, as capture files or traces (docs/trace.md), and
//! lets the acceptor judge it.

#[path = "../tests/model/acceptor.rs"]
mod acceptor;
#[path = "../tests/model/pcap.rs"]
mod pcap;
#[path = "../tests/model/trace.rs"]
mod trace;

use std::process::ExitCode;

use acceptor::{Acceptor, Patience};
use trace::{Place, Record, Side, Sorter};

const USAGE: &str = "\
Judges captured ECCP packets by the rules of the protocol (docs/trace.md).

Usage: replay [OPTIONS]

      --client FILE   capture file (pcap) taken at the client
      --server FILE   capture file taken at the server; clocks must agree with the client's
      --wire FILE     capture file taken in between: what is sent is taken to arrive
      --trace FILE    trace, one JSON object a line, instead of capture files
      --lag MS        time between the capture and the host [default: 250]
      --answer MS     time within which an answer must be sent [default: 3000]
      --converged     every move must have been answered and proven in the end
      --print         print the trace
  -h, --help          print this help

Exit status: 0 accepted, 1 refused, 2 the files could not be used.
";

#[derive(Default)]
struct Options {
    files: Vec<(Source, String)>,
    patience: Option<u64>,
    answer: Option<u64>,
    converged: bool,
    print: bool,
}

enum Source {
    Capture(Place),
    Trace,
}

fn options(mut words: impl Iterator<Item = String>) -> Result<Option<Options>, String> {
    let mut options = Options::default();
    while let Some(word) = words.next() {
        let mut value = || words.next().ok_or_else(|| format!("{word} needs a value"));
        match word.as_str() {
            "--client" => {
                let place = Source::Capture(Place::At(Side::Client));
                options.files.push((place, value()?));
            }
            "--server" => {
                let place = Source::Capture(Place::At(Side::Server));
                options.files.push((place, value()?));
            }
            "--wire" => options.files.push((Source::Capture(Place::Wire), value()?)),
            "--trace" => options.files.push((Source::Trace, value()?)),
            "--lag" => options.patience = Some(milliseconds(&value()?)?),
            "--answer" => options.answer = Some(milliseconds(&value()?)?),
            "--converged" => options.converged = true,
            "--print" => options.print = true,
            "-h" | "--help" => return Ok(None),
            _ => return Err(format!("unknown option {word}")),
        }
    }
    match options.files.is_empty() {
        true => Err("no file given".into()),
        false => Ok(Some(options)),
    }
}

fn milliseconds(text: &str) -> Result<u64, String> {
    let number: u64 = text.parse().map_err(|_| format!("{text} is no number"))?;
    number
        .checked_mul(1_000)
        .ok_or(format!("{text} is too long"))
}

/// The records of all files in order of time.
fn records(options: &Options) -> Result<Vec<Record>, String> {
    let mut files = Vec::new();
    let mut records = Vec::new();
    for (source, name) in &options.files {
        let bytes = std::fs::read(name).map_err(|error| format!("{name}: {error}"))?;
        match source {
            Source::Capture(place) => files.push((name, *place, bytes)),
            Source::Trace => {
                let text = String::from_utf8(bytes).map_err(|error| format!("{name}: {error}"))?;
                records.extend(trace::read(&text).map_err(|why| format!("{name}: {why}"))?);
            }
        }
    }
    // Flow IDs are learnt from the SYN and SYN-ACK, so all captures are read in order of time.
    let mut sorter = Sorter::default();
    let mut seen = Vec::new();
    for (name, place, bytes) in &files {
        let (packets, others) = pcap::packets(bytes).map_err(|why| format!("{name}: {why}"))?;
        eprintln!("{name}: {} ECCP packets, {others} others", packets.len());
        seen.extend(packets.into_iter().map(|packet| (*place, packet)));
    }
    seen.sort_by_key(|(_, packet)| packet.time);
    for (place, packet) in &seen {
        records.extend(sorter.sort(*place, packet));
    }
    if sorter.unknown > 0 || sorter.malformed > 0 {
        eprintln!(
            "not judged: {} packets of connections whose SYN was not captured, {} malformed ones",
            sorter.unknown, sorter.malformed
        );
    }
    records.sort_by_key(|record| record.time);
    Ok(records)
}

fn main() -> ExitCode {
    let options = match options(std::env::args().skip(1)) {
        Ok(Some(options)) => options,
        Ok(None) => {
            print!("{USAGE}");
            return ExitCode::SUCCESS;
        }
        Err(why) => {
            eprint!("replay: {why}\n\n{USAGE}");
            return ExitCode::from(2);
        }
    };
    let records = match records(&options) {
        Ok(records) if records.is_empty() => {
            eprintln!("replay: no connection to judge");
            return ExitCode::from(2);
        }
        Ok(records) => records,
        Err(why) => {
            eprintln!("replay: {why}");
            return ExitCode::from(2);
        }
    };
    if options.print {
        print!("{}", trace::write(&records));
    }
    let mut acceptor = Acceptor::new(Patience {
        lag: options.patience.unwrap_or(250_000),
        answer: options.answer.unwrap_or(3_000_000),
    });
    records.iter().for_each(|record| acceptor.read(record));
    let violations = acceptor.finish(options.converged);
    for violation in &violations {
        let at = violation.at.min(records.len() - 1);
        println!("record {}, {}: {}", at + 1, violation.rule, violation.what);
    }
    println!("{} records, {} violations", records.len(), violations.len());
    ExitCode::from(u8::from(!violations.is_empty()))
}
