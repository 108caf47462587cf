// SPDX-License-Identifier: GPL-2.0
//! Requests about the redirection cache.

use super::describe;
use crate::{
    kernel_objects::{
        crypto::now,
        errno::EOPNOTSUPP,
        genl::{Attr, Dump, Request, Writer},
        sys,
    },
    netns::Net,
    proto::{address::IpAddr128, router::Redirect, time::Duration},
};
use kernel::{prelude::*, sync::Arc};

/// Makes an entry for every flow at an address. Errors: with text and attribute, as the specification
/// says.
pub(super) fn add(request: &Request, net: &Arc<Net>) -> Result {
    let (old, _) = old(request)?;
    let (new, attr) = either(
        request,
        [sys::ECCP_A_REDIRECT_NEW_IPV4, sys::ECCP_A_REDIRECT_NEW_IPV6],
        c"only one of new-ipv4 and new-ipv6 may be given",
        c"where the RSYNs shall go is missing",
    )?;
    let usual = net.redirections.lasts().ok_or_else(|| {
        let text = c"there is no redirection cache in this namespace: redirect-ms is zero";
        request.refuse(EOPNOTSUPP, text, None)
    })?;
    if new.family() != old.family() {
        let text = c"both addresses must be of one family";
        return Err(request.refuse(EINVAL, text, Some(attr)));
    }
    if new == old || !new.is_reachable_unicast() {
        let text = c"no RSYN can be sent on to this address";
        return Err(request.refuse(EINVAL, text, Some(attr)));
    }
    let asked = request.attr(sys::ECCP_A_REDIRECT_LEFT_MS);
    let lasts = asked.map_or(usual, |attr| Duration::from_millis(attr.number()));
    let entry = Redirect {
        flow: 0,
        old,
        new,
        version: 0,
        until: now().after(lasts),
        hits: 0,
    };
    net.redirections.set(net, entry).map_err(|_| {
        let text = c"the cache has as many entries of operators as it may have";
        request.refuse(ENOSPC, text, None)
    })
}

/// Takes the entries for an address away. Errors: as above.
pub(super) fn delete(request: &Request, net: &Arc<Net>) -> Result {
    let (old, attr) = old(request)?;
    let flow = request.attr(sys::ECCP_A_REDIRECT_FLOW_ID);
    let flow = flow.map(|attr| attr.number());
    if net.redirections.remove(net, &old, flow) == 0 {
        let text = c"nothing is sent on that goes to this address";
        return Err(request.refuse(ENOENT, text, Some(attr)));
    }
    Ok(())
}

fn old(request: &Request) -> Result<(IpAddr128, Attr<'_>)> {
    either(
        request,
        [sys::ECCP_A_REDIRECT_OLD_IPV4, sys::ECCP_A_REDIRECT_OLD_IPV6],
        c"only one of old-ipv4 and old-ipv6 may be given",
        c"the address that was left is missing",
    )
}

/// The address that exactly one of two attributes holds.
fn either<'a>(
    request: &'a Request,
    [v4, v6]: [u32; 2],
    both: &'static CStr,
    neither: &'static CStr,
) -> Result<(IpAddr128, Attr<'a>)> {
    match (request.attr(v4), request.attr(v6)) {
        (Some(_), Some(second)) => Err(request.refuse(EINVAL, both, Some(second))),
        (Some(attr), None) => Ok((IpAddr128::from_v4(attr.bytes()), attr)),
        (None, Some(attr)) => Ok((IpAddr128(attr.bytes()), attr)),
        (None, None) => Err(request.missing(neither, v4)),
    }
}

/// Answers a part of a dump: as many entries as fit.
pub(super) fn dump(cmd: u32, dump: &mut Dump, net: &Arc<Net>) -> Result {
    let (mut at, _) = dump.position();
    while let Some((found, entry)) = net.redirections.entry(net, at) {
        if !dump.add(cmd, |to| {
            describe(to, &entry)?;
            time_left(to, &entry)?;
            hits(to, &entry)
        })? {
            break;
        }
        at = found + 1;
    }
    dump.set_position(at, 0);
    Ok(())
}

/// Writes what an entry is for.
pub(super) fn describe(to: &mut Writer, entry: &Redirect) -> Result {
    describe::address(
        to,
        sys::ECCP_A_REDIRECT_OLD_IPV4,
        sys::ECCP_A_REDIRECT_OLD_IPV6,
        &entry.old,
    )?;
    describe::address(
        to,
        sys::ECCP_A_REDIRECT_NEW_IPV4,
        sys::ECCP_A_REDIRECT_NEW_IPV6,
        &entry.new,
    )?;
    match entry.flow {
        0 => Ok(()),
        flow => to.uint(sys::ECCP_A_REDIRECT_FLOW_ID, flow),
    }
}

/// Writes how long it will last.
pub(super) fn time_left(to: &mut Writer, entry: &Redirect) -> Result {
    let left = entry.until.since(now()).as_millis();
    let left = u32::try_from(left).unwrap_or(u32::MAX);
    to.u32(sys::ECCP_A_REDIRECT_LEFT_MS, left)
}

/// Writes how often it was used.
pub(super) fn hits(to: &mut Writer, entry: &Redirect) -> Result {
    to.uint(sys::ECCP_A_REDIRECT_HITS, entry.hits)
}
