// SPDX-License-Identifier: GPL-2.0
//! Requests about the rules for local addresses.

use crate::{
    kernel_objects::{
        genl::{Dump, Request, Writer},
        sys,
    },
    netns::Net,
    proto::{
        address::{IpAddr128, ADDRESS_BACKUP, ADDRESS_METERED},
        rule::{Prefix, Rule, NAME_LEN},
    },
};
use kernel::{prelude::*, sync::Arc};

/// Adds a rule. Errors: with text and attribute, as the specification says.
pub(super) fn add(cmd: u32, request: &Request, net: &Arc<Net>) -> Result {
    let has = |kind| request.attr(kind).is_some();
    let dev = request.attr(sys::ECCP_A_RULE_DEV);
    let interface = dev.map_or([0; NAME_LEN], |attr| attr.bytes());
    if dev.is_some() && interface == [0; NAME_LEN] {
        let text = c"an interface has a name";
        return Err(request.refuse(EINVAL, text, dev));
    }
    let prefix = prefix(request)?;
    if dev.is_none() && prefix.is_none() {
        let text = c"a rule is for an interface, for a prefix, or for both";
        return Err(request.missing(text, sys::ECCP_A_RULE_DEV));
    }
    let priority = request.attr(sys::ECCP_A_RULE_PRIORITY);
    let flag = |kind, flag| if has(kind) { flag } else { 0 };
    let rule = Rule {
        id: 0,
        interface,
        prefix,
        priority: priority.map_or(0, |attr| attr.number() as u8),
        flags: flag(sys::ECCP_A_RULE_BACKUP, ADDRESS_BACKUP)
            | flag(sys::ECCP_A_RULE_METERED, ADDRESS_METERED),
        never: has(sys::ECCP_A_RULE_NEVER),
    };
    let id = net.add_rule(rule).map_err(|error| {
        let text = c"the namespace has as many rules as it may have";
        match error == ENOSPC {
            true => request.refuse(error, text, None),
            false => error,
        }
    })?;
    request.reply(cmd, |to| to.u32(sys::ECCP_A_RULE_ID, id))
}

fn prefix(request: &Request) -> Result<Option<Prefix>> {
    let v4 = request.attr(sys::ECCP_A_RULE_PREFIX_IPV4);
    let v6 = request.attr(sys::ECCP_A_RULE_PREFIX_IPV6);
    let len = request.attr(sys::ECCP_A_RULE_PREFIX_LEN);
    let (addr, most, attr) = match (v4, v6) {
        (Some(_), Some(second)) => {
            let text = c"only one of prefix-ipv4 and prefix-ipv6 may be given";
            return Err(request.refuse(EINVAL, text, Some(second)));
        }
        (Some(v4), None) => (IpAddr128::from_v4(v4.bytes()), 32, v4),
        (None, Some(v6)) => (IpAddr128(v6.bytes()), 128, v6),
        (None, None) => {
            let text = c"a length needs prefix-ipv4 or prefix-ipv6 as well";
            return match len {
                Some(len) => Err(request.refuse(EINVAL, text, Some(len))),
                None => Ok(None),
            };
        }
    };
    let len = len.map_or(most, |len| len.number() as u8);
    let prefix = Prefix::new(addr, len).ok_or_else(|| {
        let text = c"the prefix has bits beyond its length";
        request.refuse(EINVAL, text, Some(attr))
    })?;
    Ok(Some(prefix))
}

/// Takes a rule away. Errors: as above.
pub(super) fn delete(request: &Request, net: &Arc<Net>) -> Result {
    let kind = sys::ECCP_A_RULE_ID;
    let attr = request
        .attr(kind)
        .ok_or_else(|| request.missing(c"the ID of a rule is missing", kind))?;
    let found = u32::try_from(attr.number()).is_ok_and(|id| net.delete_rule(id));
    match found {
        true => Ok(()),
        false => Err(request.refuse(ENOENT, c"no rule of this namespace has this ID", Some(attr))),
    }
}

/// Answers a part of a dump: as many rules as fit.
pub(super) fn dump(cmd: u32, dump: &mut Dump, net: &Arc<Net>) -> Result {
    let (mut at, _) = dump.position();
    while let Some(rule) = net.rule_at(at) {
        if !dump.add(cmd, |to| describe(to, &rule))? {
            break;
        }
        at += 1;
    }
    dump.set_position(at, 0);
    Ok(())
}

fn describe(to: &mut Writer, rule: &Rule) -> Result {
    to.u32(sys::ECCP_A_RULE_ID, rule.id)?;
    if rule.interface != [0; NAME_LEN] {
        let mut name = [0; NAME_LEN + 1];
        for (to, from) in name.iter_mut().zip(rule.interface) {
            *to = from;
        }
        let name = CStr::from_bytes_until_nul(&name).map_err(|_| EINVAL)?;
        to.text(sys::ECCP_A_RULE_DEV, name)?;
    }
    if let Some(prefix) = &rule.prefix {
        match prefix.addr.as_v4() {
            Some(octets) => to.bytes(sys::ECCP_A_RULE_PREFIX_IPV4, &octets)?,
            None => to.bytes(sys::ECCP_A_RULE_PREFIX_IPV6, &prefix.addr.0)?,
        }
        to.bytes(sys::ECCP_A_RULE_PREFIX_LEN, &[prefix.len])?;
    }
    to.bytes(sys::ECCP_A_RULE_PRIORITY, &[rule.priority])?;
    let flags = [
        (rule.flags & ADDRESS_BACKUP != 0, sys::ECCP_A_RULE_BACKUP),
        (rule.flags & ADDRESS_METERED != 0, sys::ECCP_A_RULE_METERED),
        (rule.never, sys::ECCP_A_RULE_NEVER),
    ];
    flags
        .into_iter()
        .filter(|(on, _)| *on)
        .try_for_each(|(_, kind)| to.flag(kind))
}
