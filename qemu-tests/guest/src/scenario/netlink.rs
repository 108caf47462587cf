// SPDX-License-Identifier: GPL-2.0-only
//! The netlink interface: its refusals, its dumps, and requests that nobody
//! sensible sends.
//!
//! ```text
//!   client ──eth0──────────eth0── server
//! ```

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{bail, ensure, Context, Result};
use eccp_netlink::connection::ConnectionAttribute;
use eccp_netlink::flow::{FlowAttribute, MoveAttribute};
use eccp_netlink::settings::SettingsAttribute;
use eccp_netlink::{Attributes, Client, Command, Encap, Error, FlowState, Message, Reason};
use netlink_packet_core::{DefaultNla, NLM_F_DUMP};

use crate::control::Control;
use crate::plan::Transport;
use crate::random::Random;
use crate::roster::{Needs, Scenario};
use crate::stage::Stage;
use crate::stream::{connect, info, Listener, Pair};
use crate::topology::{Family, Wire};

const PORT: u16 = 7000;
const OTHER_PORT: u16 = 7001;
/// Enough that a dump needs several datagrams.
const STANDING: usize = 120;
const DUMPS: usize = 30;
const HOSTILE: usize = 20_000;

pub(super) const TABLE: &[Scenario] = &[
    scenario("netlink_refusals_say_what_is_wrong", refusals),
    scenario("dumps_are_whole_while_flows_come_and_go", dumps),
    scenario("hostile_requests_change_nothing", hostile),
];

const fn scenario(name: &'static str, run: fn(&Stage) -> Result<()>) -> Scenario {
    Scenario {
        name,
        about: "a request over netlink is answered wrongly, or harms the module",
        seconds: 60,
        needs: Needs::Module,
        smoke: true,
        run,
    }
}

fn server(wire: &Wire, port: u16) -> SocketAddr {
    SocketAddr::new(wire.server_address(Family::V4), port)
}

/// Fails unless `request` is refused with this error, these words and this
/// attribute, which may be wrong or missing.
fn expect(
    client: &mut Client,
    request: Message,
    errno: i32,
    words: &str,
    attribute: &str,
) -> Result<()> {
    let refusal = match client.request(&request, 0) {
        Err(Error::Refused(refusal)) => refusal,
        Err(error) => return Err(error).context(words.to_string()),
        Ok(_) => bail!("{request:?} was accepted"),
    };
    let named = refusal.attribute.as_deref().or(refusal.missing.as_deref());
    let told = refusal.text.as_deref().unwrap_or_default();
    ensure!(
        refusal.errno == errno && told.contains(words) && named == Some(attribute),
        "{request:?} was refused with {refusal:?}, expected errno {errno}, {words:?}, {attribute}"
    );
    Ok(())
}

fn moving(attributes: Vec<MoveAttribute>) -> Message {
    Message {
        command: Command::FlowMove,
        attributes: Attributes::Move(attributes),
    }
}

fn setting(setting: SettingsAttribute) -> Message {
    Message {
        command: Command::SettingsSet,
        attributes: Attributes::Settings(vec![setting]),
    }
}

fn refusals(_stage: &Stage) -> Result<()> {
    use MoveAttribute as M;
    let wire = Wire::build()?;
    let pair = Pair::connect(
        Transport::Eccp,
        &wire.client,
        &wire.server,
        server(&wire, PORT),
    )?;
    let id = info(&pair.client)?.local_flow_id;
    let mut control = Control::open(&wire.client)?;
    let client = control.client();
    let [here, nowhere] = ["10.0.0.2", "192.0.2.99"].map(|text| text.parse());
    let (here, nowhere) = (M::ToIpv4(here?), M::ToIpv4(nowhere?));
    let there = || M::FlowId(id);
    let cases = [
        (
            moving(vec![]),
            libc::EINVAL,
            "local ID of a flow is missing",
            "flow-id",
        ),
        (
            moving(vec![there()]),
            libc::EINVAL,
            "a goal is missing",
            "to-ipv4",
        ),
        (
            moving(vec![there(), here.clone(), M::ToIfindex(1)]),
            libc::EINVAL,
            "only one of",
            "to-ifindex",
        ),
        (
            moving(vec![there(), M::ToIpv4([0; 4].into())]),
            libc::EINVAL,
            "unspecified address",
            "to-ipv4",
        ),
        (
            moving(vec![M::FlowId(id ^ 1), here.clone()]),
            libc::ENOENT,
            "no flow of this namespace",
            "flow-id",
        ),
        (
            moving(vec![there(), nowhere]),
            libc::EADDRNOTAVAIL,
            "no such address",
            "to-ipv4",
        ),
        (
            moving(vec![there(), here]),
            libc::EALREADY,
            "already",
            "to-ipv4",
        ),
        (
            moving(vec![there(), M::ToIfindex(0)]),
            libc::ERANGE,
            "out of range",
            "to-ifindex",
        ),
        (
            setting(SettingsAttribute::DrainingMs(5)),
            libc::ERANGE,
            "out of range",
            "draining-ms",
        ),
        (
            setting(SettingsAttribute::Encap(Encap::Other(9))),
            libc::ERANGE,
            "out of range",
            "encap",
        ),
    ];
    for (request, errno, words, attribute) in cases {
        expect(client, request, errno, words, attribute)?;
    }
    let flow = Message {
        command: Command::FlowGet,
        attributes: Attributes::Flow(vec![FlowAttribute::LocalId(id ^ 1)]),
    };
    expect(client, flow, libc::ENOENT, "no flow", "local-id")?;
    let connection = Message {
        command: Command::ConnectionGet,
        attributes: Attributes::Connection(vec![ConnectionAttribute::Id(1)]),
    };
    expect(client, connection, libc::ENOENT, "no connection", "id")?;
    let flow = client.flow(id)?;
    // The flow may have told the peer of an address that came late, by itself.
    ensure!(
        flow.reason != Some(Reason::Command),
        "a refused request left a trace: {flow:?}"
    );
    Ok(())
}

fn dumps(stage: &Stage) -> Result<()> {
    let wire = Wire::build()?;
    let transport = stage.plan.transport;
    let standing = open_standing(&wire, transport)?;
    let mut expected = BTreeSet::new();
    for pair in &standing {
        expected.insert(info(&pair.client)?.local_flow_id);
    }

    let over = Arc::new(AtomicBool::new(false));
    let address = server(&wire, OTHER_PORT);
    let listener = wire.server.run(|| Listener::bind(transport, address))?;
    let churn = {
        let over = Arc::clone(&over);
        wire.client.spawn(move || {
            let mut count = 0;
            while !over.load(Ordering::Relaxed) {
                let client = connect(transport, address)?;
                drop(listener.accept().context("accept")?);
                drop(client);
                count += 1;
            }
            Ok(count)
        })?
    };
    let mut control = Control::open(&wire.client)?;
    let read = read_dumps(control.client(), &expected);
    over.store(true, Ordering::Relaxed);
    let count: usize = churn.join()?;
    let interrupted = read?;
    stage.measure("connections_meanwhile", count);
    stage.measure("interrupted_dumps", interrupted);
    ensure!(count > 0, "no connection came or went during the dumps");
    Ok(())
}

fn open_standing(wire: &Wire, transport: Transport) -> Result<Vec<Pair>> {
    let address = server(wire, PORT);
    let listener = wire.server.run(|| Listener::bind(transport, address))?;
    (0..STANDING)
        .map(|_| {
            let client = wire.client.run(|| connect(transport, address))?;
            let server = listener.accept().context("accept")?;
            Ok(Pair { client, server })
        })
        .collect()
}

/// Reads flows again and again; every dump that is not marked as interrupted
/// must have all of `expected`. Returns how many were marked.
fn read_dumps(client: &mut Client, expected: &BTreeSet<u64>) -> Result<usize> {
    let mut interrupted = 0;
    for _ in 0..DUMPS {
        let answer = client.request(&Message::request(Command::FlowGet), NLM_F_DUMP)?;
        if answer.interrupted {
            interrupted += 1;
            continue;
        }
        let mut seen = BTreeSet::new();
        for message in answer.messages {
            let Attributes::Flow(attributes) = message.attributes else {
                bail!("a dump of flows has {:?}", message.command);
            };
            let flow = eccp_netlink::flow::Flow::from(attributes);
            let id = flow.local_id.context("a flow without local ID")?;
            ensure!(seen.insert(id), "flow {id:#x} is twice in a dump");
        }
        let missing = expected.difference(&seen).count();
        ensure!(missing == 0, "{missing} of {} flows", expected.len());
    }
    Ok(interrupted)
}

fn hostile(stage: &Stage) -> Result<()> {
    let wire = Wire::build()?;
    let pair = Pair::connect(
        Transport::Eccp,
        &wire.client,
        &wire.server,
        server(&wire, PORT),
    )?;
    let mut control = Control::open(&wire.client)?;
    let client = control.client();
    let settings = client.settings()?;
    // The news of a link that has just been laid may still be on its way.
    let mut before = info(&pair.client)?;
    let limit = Instant::now() + stage.patience(Duration::from_secs(5));
    while before.state != FlowState::Established {
        ensure!(Instant::now() < limit, "not settled: {before:?}");
        std::thread::sleep(Duration::from_millis(50));
        before = info(&pair.client)?;
    }
    let mut random = stage.random().fork("hostile requests");
    let (mut answered, mut refused) = (0u64, 0u64);
    for _ in 0..HOSTILE {
        let request = strange(&mut random);
        let flags = if random.below(4) == 0 { NLM_F_DUMP } else { 0 };
        match client.request(&request, flags) {
            Ok(_) => answered += 1,
            Err(Error::Refused(_)) => refused += 1,
            Err(error) => return Err(error).with_context(|| format!("{request:?}")),
        }
    }
    stage.measure("answered", answered);
    stage.measure("refused", refused);
    ensure!(
        refused > answered,
        "{answered} of {HOSTILE} random requests were accepted"
    );
    ensure!(client.settings()? == settings, "a setting has changed");
    let after = info(&pair.client)?;
    ensure!(
        before.local == after.local && before.moves == after.moves,
        "the flow has moved from {before:?} to {after:?}"
    );
    stage.note(format!(
        "the module still answers within {:?}",
        time(|| client.info().map(drop))?
    ));
    Ok(())
}

/// A command with up to three attributes of any number, length and content.
/// settings-set gets no four bytes, which might by chance be a good value.
fn strange(random: &mut Random) -> Message {
    let command = Command::from(random.below(20) as u8);
    let attributes = (0..random.below(4)).map(|_| {
        let mut value = vec![0; random.below(20) as usize];
        if command == Command::SettingsSet && [2, 4].contains(&value.len()) {
            value.push(0);
        }
        random.fill(&mut value);
        DefaultNla::new(random.below(16) as u16, value)
    });
    Message {
        command,
        attributes: Attributes::Other(attributes.collect()),
    }
}

fn time<E>(work: impl FnOnce() -> Result<(), E>) -> Result<Duration, E> {
    let start = std::time::Instant::now();
    work()?;
    Ok(start.elapsed())
}
