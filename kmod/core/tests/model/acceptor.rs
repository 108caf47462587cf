// SPDX-License-Identifier: GPL-2.0-only
//! The acceptor: reads what a host sent and received, and refuses whatever the rules R1 to R14 of
//! protocol.md and R18 of docs/models.md do not allow. It knows nothing of the core; it is written from the rules alone.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::net::IpAddr;

use super::trace::{other, Event, Record, Side};

/// A rule that a record breaks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// Index of the record in the trace; that of the last one if something is missing.
    pub at: usize,
    /// Name of the rule, such as `R6`.
    pub rule: &'static str,
    /// What is wrong.
    pub what: String,
}

/// How strictly time is taken, in microseconds.
#[derive(Clone, Copy, Debug)]
pub struct Patience {
    /// A host may act this long on what a packet has changed already: the time between the
    /// capture and the host.
    pub lag: u64,
    /// An answer must come this soon.
    pub answer: u64,
}

/// Address, and port if there is one: what a token is bound to.
type Spot = (IpAddr, Option<u16>);

/// An answer by a second way may be ignored this long after the first, in microseconds.
const SECOND_WAY: u64 = 250_000;

/// What one host may do on one connection, from what it has sent and received.
#[derive(Debug, Default)]
struct Host {
    /// Newest version announced, and since when.
    version: Option<u64>,
    version_since: u64,
    /// Newest version heard of, and since when.
    newest: Option<u64>,
    newest_since: u64,
    /// Newest version proven.
    proven: Option<u64>,
    /// Addresses that data may go to; until when, if something newer has taken their place.
    data: HashMap<IpAddr, Option<u64>>,
    /// Where SYN and RSYN of which version were sent, and came from.
    announced_to: HashSet<(u64, IpAddr)>,
    heard_from: HashSet<(u64, Spot)>,
    /// Tokens in the SYNs of an added flow: where each was sent.
    asked: HashMap<String, Spot>,
    /// Tokens given out.
    given: HashMap<String, (u64, Spot)>,
    /// Tokens received: which version, and from where.
    got: HashSet<(u64, String, Spot)>,
    pings: HashSet<Spot>,
    /// Own versions that the peer has answered.
    answered: HashSet<u64>,
    /// When an ACK of a version was sent last, and from which family: of answers by two ways at a
    /// time, the second may wait to be repeated; of two families, one is never used.
    acknowledged: HashMap<u64, (u64, bool)>,
    /// (due, rule, version, reason) of answers that are owed.
    owed: Vec<(u64, &'static str, u64)>,
    over: bool,
}

/// Reads a trace record by record.
#[derive(Debug)]
pub struct Acceptor {
    patience: Patience,
    hosts: BTreeMap<(String, Side), Host>,
    at: usize,
    now: u64,
    violations: Vec<Violation>,
}

impl Acceptor {
    /// An acceptor that has read nothing.
    pub fn new(patience: Patience) -> Self {
        Self {
            patience,
            hosts: BTreeMap::new(),
            at: 0,
            now: 0,
            violations: Vec::new(),
        }
    }

    /// Reads the next record; times must not decrease.
    pub fn read(&mut self, record: &Record) {
        if record.time < self.now {
            self.refuse("order", format!("time {} after {}", record.time, self.now));
        }
        self.now = record.time;
        self.check_owed();
        let key = (record.flow.clone(), record.host);
        let mut host = self.hosts.remove(&key).unwrap_or_default();
        let outcome = match record.event {
            Event::Received => self.received(&mut host, record),
            Event::Sent => self.sent(&mut host, record),
        };
        if let Err((rule, what)) = outcome {
            self.refuse(rule, format!("{what}: {record:?}"));
        }
        self.hosts.insert(key, host);
        self.at += 1;
    }

    /// The violations found in the whole trace. With `converged`, every move must have been
    /// answered and proven on every connection that was not reset.
    pub fn finish(mut self, converged: bool) -> Vec<Violation> {
        self.check_owed();
        let keys: Vec<_> = self.hosts.keys().cloned().collect();
        for (flow, side) in keys {
            let host = &self.hosts[&(flow.clone(), side)];
            let peer = self.hosts.get(&(flow.clone(), other(side)));
            let announced = peer.and_then(|peer| peer.version);
            let mut found = Vec::new();
            if peer.is_some() && host.newest > announced {
                found.push(("R14", format!("{:?} was never announced", host.newest)));
            }
            if converged && !host.over && host.newest > host.proven {
                found.push(("converged", format!("{:?} was never proven", host.newest)));
            }
            let moved = host.version.filter(|version| *version > 0);
            if converged && !host.over && moved.is_some_and(|v| !host.answered.contains(&v)) {
                found.push(("converged", format!("{moved:?} was never answered")));
            }
            for (rule, what) in found {
                self.refuse(rule, format!("flow {flow}, {side:?}: {what}"));
            }
        }
        self.violations
    }

    fn refuse(&mut self, rule: &'static str, what: String) {
        self.violations.push(Violation {
            at: self.at,
            rule,
            what,
        });
    }

    fn check_owed(&mut self) {
        let mut late = Vec::new();
        for ((flow, side), host) in &mut self.hosts {
            let now = self.now;
            host.owed.retain(|(due, rule, version)| {
                if *due < now {
                    late.push((
                        *rule,
                        format!("flow {flow}, {side:?}: {version} unanswered"),
                    ));
                }
                *due >= now
            });
        }
        for (rule, what) in late {
            self.refuse(rule, what);
        }
    }

    fn received(&self, host: &mut Host, record: &Record) -> Result<(), (&'static str, String)> {
        let source = (record.src, record.ports.map(|ports| ports.0));
        let version = record.version.unwrap_or(0);
        let due = self.now + self.patience.answer;
        match record.kind.as_str() {
            "SYN" | "RSYN" => {
                host.heard_from.insert((version, source));
                if Some(version) > host.newest {
                    host.newest = Some(version);
                    host.newest_since = self.now;
                    host.owed.retain(|(_, rule, _)| *rule != "R1");
                    host.owed.push((due, "R1", version));
                }
            }
            "SYN-ACK" | "RSYN-ACK" => {
                let token = record.token.clone().unwrap_or_default();
                host.got.insert((version, token, source));
                let echo = record.echo.as_deref().unwrap_or_default();
                let heard = host.asked.is_empty() || host.asked.get(echo) == Some(&source);
                if record.kind == "SYN-ACK" && !heard {
                    return Ok(()); // R18: the SYN was not heard there.
                }
                if record.kind == "SYN-ACK" && host.newest.is_none() {
                    // R12: it counts only from an address that the SYN was sent to.
                    if host.announced_to.contains(&(0, record.src)) {
                        host.newest = Some(version);
                        host.prove(version, record.src, self.now);
                    }
                }
                let second_way = host.acknowledged.get(&version).is_some_and(|(last, v6)| {
                    let soon = self.now.saturating_sub(*last) <= SECOND_WAY;
                    soon || *v6 != record.dst.is_ipv6()
                });
                if Some(version) == host.version {
                    host.answered.insert(version);
                    if host.announced_to.contains(&(version, record.src)) {
                        // Who answers from where it was asked is there, whatever it has announced.
                        host.data.insert(record.src, None);
                    }
                    if !second_way && !host.owed.iter().any(|(_, rule, _)| *rule == "R3") {
                        host.owed.push((due, "R3", version));
                    }
                }
            }
            "ACK" => {
                let token = record.token.as_deref().unwrap_or_default();
                if let Some((bound, spot)) = host.given.get(token).copied() {
                    // R5, R10, R10b: the token's address, for the newest version, and once.
                    let fresh = Some(version) == host.newest && Some(version) > host.proven;
                    if bound == version && fresh {
                        host.prove(version, spot.0, self.now);
                    }
                }
            }
            "PING" => _ = host.pings.insert(source),
            "RST" | "RESET" => {
                host.over = true;
                host.owed.clear();
            }
            // R9: data changes nothing, wherever it comes from.
            _ => {}
        }
        Ok(())
    }

    fn sent(&self, host: &mut Host, record: &Record) -> Result<(), (&'static str, String)> {
        let spot = (record.dst, record.ports.map(|ports| ports.1));
        let version = record.version.unwrap_or(0);
        match record.kind.as_str() {
            "SYN" | "RSYN" => {
                if Some(version) < host.version {
                    return Err(("R14", "a version went back".into()));
                }
                if Some(version) > host.version {
                    host.version = Some(version);
                    host.version_since = self.now;
                    host.owed.retain(|(_, rule, _)| *rule != "R3");
                }
                host.announced_to.insert((version, record.dst));
                if let Some(token) = record.token.clone().filter(|_| record.kind == "SYN") {
                    host.asked.insert(token, spot);
                }
                Ok(())
            }
            "SYN-ACK" | "RSYN-ACK" => self.sent_answer(host, record, spot, version),
            "ACK" => {
                host.owed
                    .retain(|(_, rule, owed)| *rule != "R3" || *owed != version);
                let token = record.token.clone().unwrap_or_default();
                if host.newest.is_none() {
                    let rule = if host.asked.is_empty() { "R12" } else { "R18" };
                    return Err((rule, "an answer to a SYN-ACK that proves nothing".into()));
                }
                let entry = (self.now, record.src.is_ipv6());
                host.acknowledged.entry(version).or_insert(entry).0 = self.now;
                if host.got.contains(&(version, token.clone(), spot)) {
                    return match Some(version) == host.version || self.recent(host.version_since) {
                        true => Ok(()),
                        false => Err(("R2", "an answer to an older version".into())),
                    };
                }
                match host
                    .got
                    .iter()
                    .any(|(v, t, _)| (*v, t) == (version, &token))
                {
                    true => Err(("R6", "not to where the answer came from".into())),
                    false => Err(("R10", "a token that was never received".into())),
                }
            }
            "DATA" => match host.data.get(&record.dst) {
                Some(None) => Ok(()),
                Some(Some(until)) if self.recent(*until) => Ok(()),
                Some(Some(_)) => Err(("R5", "data to an address that was replaced".into())),
                None => Err(("R5", "data to an address that proved nothing".into())),
            },
            "PONG" if !host.pings.contains(&spot) => {
                Err(("R6", "not to where a ping came from".into()))
            }
            "RST" | "RESET" => {
                host.over = true;
                host.owed.clear();
                Ok(())
            }
            _ => Ok(()),
        }
    }

    fn sent_answer(
        &self,
        host: &mut Host,
        record: &Record,
        spot: Spot,
        version: u64,
    ) -> Result<(), (&'static str, String)> {
        // A responder announces version 0 by its SYN-ACK.
        host.version = host.version.max(Some(0));
        host.announced_to.insert((0, record.dst));
        host.owed
            .retain(|(_, rule, owed)| *rule != "R1" || *owed != version);
        let token = record.token.clone().unwrap_or_default();
        let reused = host.given.insert(token, (version, spot));
        if reused.is_some_and(|before| before != (version, spot)) {
            return Err(("R10", "one token for two addresses or versions".into()));
        }
        // A repetition may also go to an address that was proven before: the token is bound to it.
        let proven = host.data.contains_key(&record.dst);
        if !proven && !host.heard_from.contains(&(version, spot)) {
            return Err(("R6", "not to where that version came from".into()));
        }
        match Some(version) == host.newest || self.recent(host.newest_since) {
            true => Ok(()),
            false => Err(("R1", "an answer to an older version".into())),
        }
    }

    fn recent(&self, since: u64) -> bool {
        self.now.saturating_sub(since) <= self.patience.lag
    }
}

impl Host {
    fn prove(&mut self, version: u64, address: IpAddr, now: u64) {
        self.proven = Some(version);
        for until in self.data.values_mut() {
            until.get_or_insert(now);
        }
        self.data.insert(address, None);
    }
}
