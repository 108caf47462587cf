// SPDX-License-Identifier: GPL-2.0-only
//! A stream arrives as it was sent, in both directions at once.
//!
//! ```text
//!   client ──eth0──────────eth0── server        8 MiB ⇄ 8 MiB
//! ```

use std::net::SocketAddr;

use anyhow::Result;

use crate::roster::{Needs, Scenario};
use crate::stage::Stage;
use crate::stream::{connect, Listener};
use crate::topology::{Family, Wire};
use crate::traffic::{expect_intact, receive, send_and_finish, Pattern};

const BYTES: u64 = 8 << 20;
const PORT: u16 = 7000;

pub(super) const TABLE: &[Scenario] = &[Scenario {
    name: "transfer_v4",
    about: "a stream over IPv4 arrives changed or not at all",
    seconds: 30,
    needs: Needs::Nothing,
    smoke: true,
    run: |stage| both_ways(stage, Family::V4),
}];

fn both_ways(stage: &Stage, family: Family) -> Result<()> {
    let wire = Wire::build()?;
    let address = SocketAddr::new(wire.server_address(family), PORT);
    let transport = stage.plan.transport;
    let listener = wire.server.run(|| Listener::bind(transport, address))?;
    let random = stage.random();
    let server_random = random.fork("server");
    let server = wire.server.spawn(move || {
        let stream = listener.accept()?;
        let back = stream.try_clone()?;
        let sender =
            std::thread::spawn(move || send_and_finish(&back, Pattern::new(server_random, BYTES)));
        let received = receive(&stream)?;
        Ok((received, sender.join().expect("the sender does not panic")?))
    })?;
    let client_random = random.fork("client");
    let client = wire.client.spawn(move || {
        let stream = connect(transport, address)?;
        let back = stream.try_clone()?;
        let sender =
            std::thread::spawn(move || send_and_finish(&back, Pattern::new(client_random, BYTES)));
        let received = receive(&stream)?;
        Ok((received, sender.join().expect("the sender does not panic")?))
    })?;
    let (at_client, from_client) = client.join()?;
    let (at_server, from_server) = server.join()?;
    expect_intact(&at_client, BYTES, &from_server)?;
    expect_intact(&at_server, BYTES, &from_client)
}
