// SPDX-License-Identifier: GPL-2.0-only
//! Loading and unloading the module, at rest and under load.

use std::net::SocketAddr;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{bail, ensure, Context, Result};
use eccp_netlink::socket::Builder;
use eccp_netlink::Client;
use rustix::io::Errno;

use crate::conversation::{Conversation, Load};
use crate::kernel_log::KernelLog;
use crate::module;
use crate::roster::{Needs, Scenario};
use crate::stage::Stage;
use crate::stream::Pair;
use crate::supervisor::MODULE;
use crate::topology::{Family, Wire};

const IDLE_ROUNDS: usize = 25;
const LOADED_ROUNDS: usize = 10;
/// How long flows of deleted namespaces may hold the module on a quiet machine.
const RELEASE: Duration = Duration::from_secs(10);
/// A family number that is in use on every Linux: AF_UNIX.
const TAKEN: u16 = 1;
/// A family number that no kernel module serves: AF_ECONET.
const OTHER: u16 = 19;

pub(super) const TABLE: &[Scenario] = &[
    scenario("unload_refused_while_in_use", Needs::Module, refused),
    scenario("load_unload_storm", Needs::NoModule, storm),
    scenario("family_number_taken", Needs::NoModule, taken),
    scenario("family_number_parameter", Needs::NoModule, parameter),
];

const fn scenario(name: &'static str, needs: Needs, run: fn(&Stage) -> Result<()>) -> Scenario {
    Scenario {
        name,
        about: "the module cannot be loaded or unloaded as it should, or leaves something behind",
        seconds: 90,
        needs,
        smoke: true,
        run,
    }
}

fn module_path(stage: &Stage) -> Result<&str> {
    let path = stage.plan.eccp_module.as_deref();
    path.context("the image carries no eccp module")
}

pub(super) fn insert(stage: &Stage, parameters: &str) -> Result<()> {
    module::insert(module_path(stage)?, parameters)
        .with_context(|| format!("insmod eccp.ko {parameters}"))
}

fn refused(_stage: &Stage) -> Result<()> {
    let socket = Builder::new()?;
    match module::remove(MODULE) {
        Err(Errno::AGAIN) => {}
        Err(error) => bail!("unloading with an open socket was refused with {error}, not EAGAIN"),
        Ok(()) => bail!("the module was unloaded under an open socket"),
    }
    drop(socket);
    Ok(())
}

fn storm(stage: &Stage) -> Result<()> {
    for round in 1..=IDLE_ROUNDS {
        insert(stage, "")?;
        module::remove(MODULE).with_context(|| format!("rmmod in idle round {round}"))?;
    }
    for round in 1..=LOADED_ROUNDS {
        insert(stage, "")?;
        under_load(stage).with_context(|| format!("loaded round {round}"))?;
        released(stage).with_context(|| format!("loaded round {round}"))?;
        module::remove(MODULE).with_context(|| format!("rmmod in loaded round {round}"))?;
    }
    Ok(())
}

/// Packets and timers are in flight when sockets and namespaces go.
fn under_load(stage: &Stage) -> Result<()> {
    let wire = Wire::build()?;
    let family = Family::BOTH[stage.random().below(2) as usize];
    let address = SocketAddr::new(wire.server_address(family), 7000);
    let pair = Pair::connect(stage.plan.transport, &wire.client, &wire.server, address)?;
    let load = Some(Load::over(4, 1));
    let patience = stage.patience(Duration::from_secs(10));
    let talk = Conversation::start(pair, &stage.random(), load, load, patience)?;
    talk.wait_for_down(1 << 20)?;
    match module::remove(MODULE) {
        Err(Errno::AGAIN) => {}
        other => bail!("unloading under load ended with {other:?}, not EAGAIN"),
    }
    talk.abandon();
    Ok(())
}

pub(super) fn released(stage: &Stage) -> Result<()> {
    let begin = Instant::now();
    let limit = stage.patience(RELEASE);
    while module::reference_count(MODULE) != Some(0) {
        ensure!(
            begin.elapsed() < limit,
            "{:?} references are left after {limit:?}",
            module::reference_count(MODULE)
        );
        thread::sleep(Duration::from_millis(10));
    }
    Ok(())
}

fn taken(stage: &Stage) -> Result<()> {
    let mut log = KernelLog::open()?;
    log.mark("loading with a family number that is taken")?;
    match module::insert(module_path(stage)?, &format!("family={TAKEN}")) {
        // Newer kernels keep EEXIST for a module that is loaded already.
        Err(Errno::EXIST | Errno::BUSY) => {}
        other => bail!("insmod ended with {other:?}, not EEXIST or EBUSY"),
    }
    ensure!(
        module::reference_count(MODULE).is_none(),
        "the module stays after its initialisation failed"
    );
    let lines = log.read()?;
    ensure!(
        lines
            .iter()
            .any(|line| line.contains("eccp") && line.contains(&TAKEN.to_string())),
        "the kernel log does not name family {TAKEN}: {lines:?}"
    );
    // Nothing of the failed attempt is in the way of the next one.
    insert(stage, "")?;
    module::remove(MODULE).context("rmmod")?;
    Ok(())
}

fn parameter(stage: &Stage) -> Result<()> {
    insert(stage, &format!("family={OTHER}"))?;
    Builder::in_family(OTHER).context("a socket of the chosen family")?;
    match Builder::new() {
        Err(error) if error.raw_os_error() == Some(libc::EAFNOSUPPORT) => {}
        other => bail!("a socket of the default family: {other:?}, not EAFNOSUPPORT"),
    }
    let info = Client::open()?.info()?;
    ensure!(
        info.family == Some(OTHER.into()),
        "info-get names family {:?}, not {OTHER}",
        info.family
    );
    released(stage)?;
    module::remove(MODULE).context("rmmod")?;
    Ok(())
}
