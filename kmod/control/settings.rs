// SPDX-License-Identifier: GPL-2.0
//! The settings of a namespace as netlink attributes. Their ranges are in the specification,
//! and checked before a request arrives here.

use crate::{
    flow::Flow,
    kernel_objects::{
        genl::{Request, Writer},
        sys,
    },
    netns::{Config, Net},
    proto::{
        address::Encap,
        reset::ResetKey,
        settings::{Encapsulation, Policy},
        time::Duration,
    },
};
use kernel::{prelude::*, sync::Arc};

/// The attributes of all settings.
pub(crate) fn write(to: &mut Writer, config: &Config) -> Result {
    let core = &config.core;
    let encap = match core.encapsulation {
        Encapsulation::Native => sys::eccp_encap_ECCP_ENCAP_NATIVE,
        Encapsulation::Udp => sys::eccp_encap_ECCP_ENCAP_UDP,
        Encapsulation::Auto => sys::eccp_encap_ECCP_ENCAP_AUTO,
    };
    let policy = match core.policy {
        Policy::Manual => sys::eccp_policy_ECCP_POLICY_MANUAL,
        Policy::FailOver => sys::eccp_policy_ECCP_POLICY_FAILOVER,
        Policy::Prefer => sys::eccp_policy_ECCP_POLICY_PREFER,
    };
    to.u32(sys::ECCP_A_SETTINGS_ENCAP, encap)?;
    to.u16(sys::ECCP_A_SETTINGS_UDP_PORT, core.udp_port)?;
    to.u32(sys::ECCP_A_SETTINGS_POLICY, policy)?;
    to.u32(sys::ECCP_A_SETTINGS_GIVE_UP_MS, millis(core.give_up))?;
    to.u32(sys::ECCP_A_SETTINGS_HALF_OPEN_MS, millis(core.half_open))?;
    to.u32(
        sys::ECCP_A_SETTINGS_PLANNED_MOVE_MS,
        millis(core.planned_move),
    )?;
    to.u32(
        sys::ECCP_A_SETTINGS_NO_ADDRESS_MS,
        core.no_address.map_or(0, millis),
    )?;
    to.u32(sys::ECCP_A_SETTINGS_DRAINING_MS, millis(core.draining))?;
    to.u32(
        sys::ECCP_A_SETTINGS_PREFER_DELAY_MS,
        millis(core.prefer_delay),
    )?;
    to.u32(sys::ECCP_A_SETTINGS_CONTROL_RATE, core.control_rate)?;
    to.u32(sys::ECCP_A_SETTINGS_MAX_CONNECTIONS, config.max_connections)?;
    to.u32(sys::ECCP_A_SETTINGS_MAX_HALF_OPEN, config.max_half_open)?;
    to.u32(
        sys::ECCP_A_SETTINGS_PATH_TIMEOUT_MS,
        core.path_timeout.map_or(0, millis),
    )?;
    to.u32(
        sys::ECCP_A_SETTINGS_KEEPALIVE_MS,
        core.keepalive.map_or(0, millis),
    )?;
    to.u32(
        sys::ECCP_A_SETTINGS_NAT_KEEPALIVE_MS,
        core.nat_keepalive.map_or(0, millis),
    )?;
    to.u32(sys::ECCP_A_SETTINGS_REDIRECT_ASK, core.redirect.into())?;
    to.u32(sys::ECCP_A_SETTINGS_REDIRECT_MS, millis(config.redirect))?;
    to.u32(sys::ECCP_A_SETTINGS_MAX_FLOWS, core.max_flows.into())?;
    to.u32(
        sys::ECCP_A_SETTINGS_MAX_DATAGRAM_PEERS,
        config.max_datagram_peers,
    )?;
    to.u32(
        sys::ECCP_A_SETTINGS_DATAGRAM_IDLE_MS,
        millis(config.datagram_idle),
    )?;
    to.u32(
        sys::ECCP_A_SETTINGS_COOKIE_THRESHOLD,
        config.cookie_threshold,
    )?;
    to.u32(sys::ECCP_A_SETTINGS_STRANGER_RATE, config.stranger_rate)?;
    to.u32(
        sys::ECCP_A_SETTINGS_MTU_RAISE_MS,
        config.mtu_raise.map_or(0, millis),
    )?;
    to.u32(
        sys::ECCP_A_SETTINGS_RENEW_FLOW_IDS,
        core.renew_flow_ids.into(),
    )
}

fn millis(time: Duration) -> u32 {
    u32::try_from(time.as_millis()).unwrap_or(u32::MAX)
}

/// Applies a request: all of it, or nothing. Errors: EBUSY when flows use the UDP port that is
/// to change, EADDRINUSE when the new one is taken.
pub(crate) fn change(request: &Request, net: &Arc<Net>) -> Result {
    let port = request.attr(sys::ECCP_A_SETTINGS_UDP_PORT);
    net.change_config(|config| {
        let old_port = config.core.udp_port;
        read(request, config);
        if config.core.udp_port != old_port && any_uses_udp(net) {
            return Err(EBUSY);
        }
        Ok(())
    })
    .map_err(|error| {
        let (text, attr) = if error == EBUSY {
            (c"flows of this namespace use the present UDP port", port)
        } else if error == ENOMEM {
            let attr = request.attr(sys::ECCP_A_SETTINGS_REDIRECT_MS);
            (c"there is no memory for that", attr)
        } else {
            let text = c"the UDP port cannot be opened in this namespace";
            (text, port)
        };
        request.refuse(error, text, attr)
    })
}

fn any_uses_udp(net: &Arc<Net>) -> bool {
    let mut any = false;
    net.for_each_flow(|flow| any |= uses_udp(&flow));
    any
}

/// Whether the peer of a flow sends to the UDP port of this namespace.
fn uses_udp(flow: &Flow) -> bool {
    flow.connection.with_state(|state| {
        let core = state.core.flow(flow.index);
        core.is_some_and(|core| core.path().encap == Encap::Udp)
    })
}

fn read(request: &Request, config: &mut Config) {
    let number = |kind| request.attr(kind).map(|attr| attr.number() as u32);
    let time = |kind| number(kind).map(|ms| Duration::from_millis(ms.into()));
    let core = &mut config.core;
    if let Some(encap) = number(sys::ECCP_A_SETTINGS_ENCAP) {
        core.encapsulation = match encap {
            sys::eccp_encap_ECCP_ENCAP_NATIVE => Encapsulation::Native,
            sys::eccp_encap_ECCP_ENCAP_UDP => Encapsulation::Udp,
            _ => Encapsulation::Auto,
        };
    }
    if let Some(policy) = number(sys::ECCP_A_SETTINGS_POLICY) {
        core.policy = match policy {
            sys::eccp_policy_ECCP_POLICY_MANUAL => Policy::Manual,
            sys::eccp_policy_ECCP_POLICY_FAILOVER => Policy::FailOver,
            _ => Policy::Prefer,
        };
    }
    if let Some(port) = number(sys::ECCP_A_SETTINGS_UDP_PORT) {
        core.udp_port = port as u16;
    }
    if let Some(ms) = number(sys::ECCP_A_SETTINGS_NO_ADDRESS_MS) {
        core.no_address = (ms != 0).then(|| Duration::from_millis(ms.into()));
    }
    let spans = [
        (sys::ECCP_A_SETTINGS_PATH_TIMEOUT_MS, &mut core.path_timeout),
        (sys::ECCP_A_SETTINGS_KEEPALIVE_MS, &mut core.keepalive),
        (
            sys::ECCP_A_SETTINGS_NAT_KEEPALIVE_MS,
            &mut core.nat_keepalive,
        ),
        (sys::ECCP_A_SETTINGS_MTU_RAISE_MS, &mut config.mtu_raise),
    ];
    for (kind, setting) in spans {
        if let Some(ms) = number(kind) {
            *setting = (ms != 0).then(|| Duration::from_millis(ms.into()));
        }
    }
    if let Some(asks) = number(sys::ECCP_A_SETTINGS_REDIRECT_ASK) {
        core.redirect = asks != 0;
    }
    if let Some(renews) = number(sys::ECCP_A_SETTINGS_RENEW_FLOW_IDS) {
        core.renew_flow_ids = renews != 0;
    }
    if let Some(flows) = number(sys::ECCP_A_SETTINGS_MAX_FLOWS) {
        core.max_flows = flows as u8;
    }
    if let Some(key) = request.attr(sys::ECCP_A_SETTINGS_RESET_KEY) {
        core.reset_key = ResetKey::new(key.bytes());
    }
    let times = [
        (sys::ECCP_A_SETTINGS_GIVE_UP_MS, &mut core.give_up),
        (sys::ECCP_A_SETTINGS_HALF_OPEN_MS, &mut core.half_open),
        (sys::ECCP_A_SETTINGS_PLANNED_MOVE_MS, &mut core.planned_move),
        (sys::ECCP_A_SETTINGS_DRAINING_MS, &mut core.draining),
        (sys::ECCP_A_SETTINGS_PREFER_DELAY_MS, &mut core.prefer_delay),
        (
            sys::ECCP_A_SETTINGS_DATAGRAM_IDLE_MS,
            &mut config.datagram_idle,
        ),
        (sys::ECCP_A_SETTINGS_REDIRECT_MS, &mut config.redirect),
    ];
    for (kind, setting) in times {
        if let Some(value) = time(kind) {
            *setting = value;
        }
    }
    let numbers = [
        (sys::ECCP_A_SETTINGS_CONTROL_RATE, &mut core.control_rate),
        (
            sys::ECCP_A_SETTINGS_MAX_CONNECTIONS,
            &mut config.max_connections,
        ),
        (
            sys::ECCP_A_SETTINGS_MAX_HALF_OPEN,
            &mut config.max_half_open,
        ),
        (
            sys::ECCP_A_SETTINGS_MAX_DATAGRAM_PEERS,
            &mut config.max_datagram_peers,
        ),
        (
            sys::ECCP_A_SETTINGS_COOKIE_THRESHOLD,
            &mut config.cookie_threshold,
        ),
        (
            sys::ECCP_A_SETTINGS_STRANGER_RATE,
            &mut config.stranger_rate,
        ),
    ];
    for (kind, setting) in numbers {
        if let Some(value) = number(kind) {
            *setting = value;
        }
    }
}
