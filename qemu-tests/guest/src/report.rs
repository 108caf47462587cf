// SPDX-License-Identifier: GPL-2.0-only
//! What a test machine tells its host: one JSON object per line on the
//! virtio-serial port [`RESULTS_PORT`].

use std::io::{self, Write};

use serde::{Deserialize, Serialize};

/// Name of the virtio-serial port that carries [`Event`] lines to the host.
pub const RESULTS_PORT: &str = "org.eccp.results";
/// Name of the virtio-serial port that carries files to the host.
pub const ARTIFACTS_PORT: &str = "org.eccp.artifacts";

/// One line of a machine's report.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "kebab-case")]
pub enum Event {
    /// PID 1 runs, and its mounts are in place.
    Boot {
        /// Release of the running kernel, as `uname -r` prints it.
        kernel: String,
        /// Seconds between power-on and PID 1, by the guest's clock.
        uptime: f64,
    },
    /// A scenario begins.
    Start {
        /// The scenario.
        name: String,
    },
    /// A scenario says something worth keeping whether or not it passes.
    Note {
        /// The scenario.
        name: String,
        /// One line of text.
        text: String,
    },
    /// A scenario measured something.
    Measure {
        /// The scenario.
        name: String,
        /// What was measured.
        key: String,
        /// The value with whatever structure it has.
        value: serde_json::Value,
    },
    /// A scenario ended as it should.
    Pass {
        /// The scenario.
        name: String,
        /// How long it took, by the guest's clock.
        seconds: f64,
    },
    /// A scenario ended in any other way.
    Fail {
        /// The scenario.
        name: String,
        /// How long it took, by the guest's clock.
        seconds: f64,
        /// What was wrong.
        message: String,
        /// The kernel complained, or something was left behind in it.
        #[serde(default)]
        kernel: bool,
    },
    /// Everything planned was run; a report without this line is a failure.
    End {
        /// Scenarios that passed.
        passed: usize,
        /// Scenarios that failed.
        failed: usize,
    },
}

/// Writes events as lines into any byte sink.
#[derive(Debug)]
pub struct Reporter<W> {
    sink: W,
}

impl<W: Write> Reporter<W> {
    /// Wraps `sink`, which should hand every write on at once.
    pub fn new(sink: W) -> Self {
        Reporter { sink }
    }

    /// Sends one event in a single write, so that lines of several processes
    /// sharing the sink do not mix.
    ///
    /// # Errors
    /// Whatever the sink answers.
    pub fn send(&mut self, event: &Event) -> io::Result<()> {
        let mut line = serde_json::to_vec(event)?;
        line.push(b'\n');
        self.sink.write_all(&line)?;
        self.sink.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_is_one_line_of_json_with_its_kind() {
        let mut bytes = Vec::new();
        Reporter::new(&mut bytes)
            .send(&Event::Start { name: "a".into() })
            .unwrap();
        assert_eq!(bytes, b"{\"event\":\"start\",\"name\":\"a\"}\n");
    }

    #[test]
    fn text_with_line_breaks_stays_on_one_line() {
        let event = Event::Fail {
            name: "a".into(),
            seconds: 0.5,
            message: "first\nsecond".into(),
            kernel: false,
        };
        let mut bytes = Vec::new();
        Reporter::new(&mut bytes).send(&event).unwrap();
        assert_eq!(bytes.iter().filter(|byte| **byte == b'\n').count(), 1);
        assert_eq!(serde_json::from_slice::<Event>(&bytes).unwrap(), event);
    }
}
