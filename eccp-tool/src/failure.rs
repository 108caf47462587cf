// SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0
//! What went wrong, in words, with a next step.

use std::fmt;
use std::io;

use eccp_netlink::{Command, Error, Refusal};
use rustix::io::Errno;

use crate::exit::Exit;

/// A failure of the program.
#[derive(Debug)]
pub struct Failure {
    /// How the program ends.
    pub exit: Exit,
    /// What is wrong.
    pub message: String,
    /// What to do next, if something can be said.
    pub advice: Option<String>,
}

impl Failure {
    /// A failure without advice.
    pub fn new(exit: Exit, message: impl Into<String>) -> Self {
        Failure {
            exit,
            message: message.into(),
            advice: None,
        }
    }

    /// Adds the next step.
    pub fn advise(self, advice: impl Into<String>) -> Self {
        Failure {
            advice: Some(advice.into()),
            ..self
        }
    }

    /// A file or a system call that failed.
    pub fn system(what: impl fmt::Display, error: impl fmt::Display) -> Self {
        Self::new(Exit::System, format!("{what}: {error}"))
    }

    /// Prints the failure and returns the status to end with.
    pub fn report(&self) -> Exit {
        if self.exit != Exit::Success {
            eprintln!("{self}");
        }
        self.exit
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "eccp-tool: {}", self.message)?;
        if let Some(advice) = &self.advice {
            write!(f, "\n  next: {advice}")?;
        }
        Ok(())
    }
}

/// Writing to a pipe whose reader has gone is a success: it has seen enough.
impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        let exit = match error.kind() {
            io::ErrorKind::BrokenPipe => Exit::Success,
            _ => Exit::System,
        };
        Failure::new(exit, format!("writing the output: {error}"))
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        match error {
            Error::FamilyMissing => Failure::new(Exit::ModuleMissing, error.to_string())
                .advise("load it with \"modprobe eccp\" or \"insmod eccp.ko\"; \"eccp-tool check\" says what is in the way"),
            Error::Refused(refusal) => refused(refusal),
            Error::Decode(_) | Error::NoObject(_) => Failure::new(Exit::System, error.to_string())
                .advise("the module and eccp-tool may be of different versions: compare \"eccp-tool info\" with \"eccp-tool --version\""),
            _ => Failure::new(Exit::System, error.to_string()),
        }
    }
}

fn refused(refusal: Refusal) -> Failure {
    let errno = Errno::from_raw_os_error(refusal.errno);
    let failure = Failure::new(Exit::Refused, format!("{}: {refusal}", refusal.command));
    match next_step(refusal.command, errno) {
        Some(advice) => failure.advise(advice),
        None => failure,
    }
}

fn next_step(command: Command, errno: Errno) -> Option<&'static str> {
    Some(match (command, errno) {
        (_, Errno::PERM | Errno::ACCESS) => {
            "this needs CAP_NET_ADMIN in the network namespace: run it as root there"
        }
        (_, Errno::OPNOTSUPP) => {
            "the module does not know this request: compare \"eccp-tool info\" with \"eccp-tool --version\""
        }
        (Command::FlowGet | Command::FlowMove, Errno::NOENT | Errno::SRCH) => {
            "\"eccp-tool flow show\" lists the flows; is it another namespace (-n)?"
        }
        (Command::ConnectionGet, Errno::NOENT | Errno::SRCH) => {
            "\"eccp-tool connection show\" lists the connections; is it another namespace (-n)?"
        }
        (Command::FlowMove, Errno::ADDRNOTAVAIL) => {
            "the goal must be a usable address of this host: see \"ip address\""
        }
        (Command::FlowMove, Errno::NODEV) => "\"ip link\" lists the interfaces of the namespace",
        (Command::FlowMove, Errno::ALREADY | Errno::EXIST) => {
            "nothing is to be done: \"eccp-tool flow show\" shows the address"
        }
        (Command::FlowMove, Errno::NETUNREACH | Errno::HOSTUNREACH) => {
            "check the routes with \"ip route get PEER from ADDRESS\""
        }
        (Command::FlowMove, Errno::NOTCONN | Errno::BUSY | Errno::INPROGRESS) => {
            "watch the flow with \"eccp-tool monitor\" and try again when it is established"
        }
        (Command::SettingsSet, Errno::BUSY) => {
            "set the port before the first connection, or wait until those in UDP are closed"
        }
        (Command::SettingsSet, Errno::ADDRINUSE) => {
            "another socket has the UDP port: see \"ss -ulnp\""
        }
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use eccp_netlink::ExtendedAck;

    fn refusal(command: Command, errno: Errno, text: &str) -> Failure {
        let ack = ExtendedAck {
            text: Some(text.into()),
            missing: Some(1),
            ..ExtendedAck::default()
        };
        Error::Refused(Refusal::new(command, errno.raw_os_error(), ack, &[])).into()
    }

    #[test]
    fn a_refusal_is_told_in_words_with_the_attribute_and_a_next_step() {
        let failure = refusal(Command::FlowMove, Errno::NOENT, "no such flow");
        assert_eq!(failure.exit, Exit::Refused);
        insta::assert_snapshot!(failure.to_string(), @r#"
        eccp-tool: flow-move: no such flow (attribute flow-id is missing)
          next: "eccp-tool flow show" lists the flows; is it another namespace (-n)?
        "#);
    }

    #[test]
    fn a_missing_capability_is_told_for_every_request() {
        for command in [Command::FlowMove, Command::SettingsSet] {
            let failure = refusal(command, Errno::PERM, "no");
            assert!(failure.advice.unwrap().contains("CAP_NET_ADMIN"));
        }
    }

    #[test]
    fn a_missing_module_has_its_own_status() {
        let failure = Failure::from(Error::FamilyMissing);
        assert_eq!(failure.exit, Exit::ModuleMissing);
        assert!(failure.to_string().contains("modprobe eccp"));
    }

    #[test]
    fn a_reader_that_went_away_is_no_failure() {
        let failure = Failure::from(io::Error::from(io::ErrorKind::BrokenPipe));
        assert_eq!(failure.exit, Exit::Success);
    }
}
