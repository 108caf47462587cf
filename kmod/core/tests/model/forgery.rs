// SPDX-License-Identifier: GPL-2.0-only
//! Ways to falsify a trace that was right: the acceptor must refuse each by its rule.

use super::trace::{Event, Record, Side};

/// One thing to make wrong in a trace.
pub struct Forgery {
    /// The rule that must refuse it.
    pub rule: &'static str,
    /// What is wrong, in words.
    pub what: &'static str,
    /// It is wrong at any time; what depends on how late an answer is may pass in a short trace.
    pub timeless: bool,
    /// Makes it wrong; false if the trace has nothing of that kind.
    pub forge: fn(&mut Vec<Record>) -> bool,
}

fn find(records: &[Record], event: Event, kind: &str) -> Option<usize> {
    let mut places = records.iter().enumerate().filter(|(_, record)| {
        record.event == event && record.kind == kind && record.version.is_none_or(|v| v > 0)
    });
    places.next().map(|(at, _)| at)
}

fn change(records: &mut [Record], event: Event, kind: &str, change: fn(&mut Record)) -> bool {
    find(records, event, kind).is_some_and(|at| {
        change(&mut records[at]);
        true
    })
}

/// One forgery at least for each rule.
pub const FORGERIES: &[Forgery] = &[
    Forgery {
        rule: "R14",
        what: "an RSYN goes back to version 0",
        timeless: true,
        forge: |records| {
            let last = records
                .iter()
                .rposition(|r| r.kind == "RSYN" && r.event == Event::Sent);
            last.is_some_and(|at| {
                let mut again = records[at].clone();
                again.version = Some(0);
                records.insert(at + 1, again);
                true
            })
        },
    },
    Forgery {
        rule: "R14",
        what: "a version is heard that nobody announced",
        timeless: true,
        forge: |records| {
            change(records, Event::Received, "RSYN", |record| {
                record.version = Some(1_000)
            })
        },
    },
    Forgery {
        rule: "R6",
        what: "an RSYN-ACK goes elsewhere than to the source of the RSYN",
        timeless: true,
        forge: |records| {
            change(records, Event::Sent, "RSYN-ACK", |record| {
                record.dst = elsewhere()
            })
        },
    },
    Forgery {
        rule: "R6",
        what: "an ACK goes elsewhere than to the source of the RSYN-ACK",
        timeless: true,
        forge: |records| {
            change(records, Event::Sent, "ACK", |record| {
                record.dst = elsewhere()
            })
        },
    },
    Forgery {
        rule: "R10",
        what: "an ACK carries a token that nobody gave",
        timeless: true,
        forge: |records| {
            change(records, Event::Sent, "ACK", |record| {
                record.token = Some("00".repeat(16))
            })
        },
    },
    Forgery {
        rule: "R10",
        what: "the token of one version is given for the next",
        timeless: true,
        forge: |records| {
            let sent = |r: &&Record| r.event == Event::Sent && r.kind == "RSYN-ACK";
            let first = records.iter().find(sent).cloned();
            let Some(first) = first else { return false };
            let next = records
                .iter()
                .position(|r| sent(&r) && r.host == first.host && r.version > first.version);
            next.is_some_and(|at| {
                records[at].token = first.token;
                true
            })
        },
    },
    Forgery {
        rule: "R5",
        what: "data goes to an address that proved nothing",
        timeless: true,
        forge: |records| {
            change(records, Event::Sent, "DATA", |record| {
                record.dst = elsewhere()
            })
        },
    },
    Forgery {
        rule: "R5",
        what: "the ACK of a move never arrived, but data follows the move",
        timeless: false,
        forge: |records| {
            let before = records.len();
            records.retain(|r| {
                let ack = r.host == Side::Server && r.event == Event::Received && r.kind == "ACK";
                !(ack && r.version > Some(0))
            });
            records.len() < before
        },
    },
    Forgery {
        rule: "R3",
        what: "an RSYN-ACK gets no ACK",
        timeless: false,
        forge: |records| {
            let before = records.len();
            records.retain(|r| {
                let ack = r.event == Event::Sent && r.kind == "ACK";
                !(ack && r.version > Some(0))
            });
            records.len() < before
        },
    },
    Forgery {
        rule: "R1",
        what: "an RSYN gets no answer",
        timeless: false,
        forge: |records| {
            let before = records.len();
            records.retain(|r| !(r.event == Event::Sent && r.kind == "RSYN-ACK"));
            records.len() < before
        },
    },
    Forgery {
        rule: "R1",
        what: "an older RSYN is answered after a newer one",
        timeless: false,
        forge: |records| {
            let first = records
                .iter()
                .find(|r| r.event == Event::Sent && r.kind == "RSYN-ACK");
            let Some(old) = first.cloned() else {
                return false;
            };
            let newer = records.iter().rposition(|r| {
                let heard = r.event == Event::Received && r.kind == "RSYN";
                heard && r.host == old.host && r.version > old.version
            });
            newer.is_some_and(|at| repeat_after(records, at, old))
        },
    },
    Forgery {
        rule: "R2",
        what: "an RSYN-ACK of an older version is acknowledged",
        timeless: false,
        forge: |records| {
            let first = records
                .iter()
                .find(|r| r.event == Event::Sent && r.kind == "ACK" && r.version > Some(0));
            let Some(old) = first.cloned() else {
                return false;
            };
            let newer = records.iter().rposition(|r| {
                let moved = r.event == Event::Sent && r.kind == "RSYN";
                moved && r.host == old.host && r.version > old.version
            });
            newer.is_some_and(|at| repeat_after(records, at, old))
        },
    },
    Forgery {
        rule: "R6",
        what: "a PONG answers no PING",
        timeless: true,
        forge: |records| {
            change(records, Event::Sent, "PONG", |record| {
                record.dst = elsewhere()
            })
        },
    },
    Forgery {
        rule: "order",
        what: "time runs backwards",
        timeless: true,
        forge: |records| {
            records.reverse();
            records.len() > 1
        },
    },
];

/// Puts `old` in again, a moment after the record at `at`.
fn repeat_after(records: &mut Vec<Record>, at: usize, mut old: Record) -> bool {
    old.time = records[at].time + 1;
    let next = records[at..].iter().position(|r| r.time >= old.time);
    let place = next.map_or(records.len(), |after| at + after);
    records.insert(place, old);
    true
}

fn elsewhere() -> std::net::IpAddr {
    std::net::Ipv4Addr::new(192, 0, 2, 77).into()
}
