// SPDX-License-Identifier: GPL-2.0
//! The path of an endpoint, and what TCP has learnt of it.

use super::{
    endpoint::{routed, shim_path, Endpoint},
    net::NetRef,
    sys,
};
use crate::proto::{
    address::{Family, Path},
    connection::DataPath,
    learnt::{Learnt, Sizes, Start, PLAIN_HEADERS},
};

/// What TCP knows of the path in use.
pub(crate) struct Known {
    pub(crate) learnt: Learnt,
    /// The segment size that the ends agreed on, in bytes with plain headers.
    pub(crate) agreed: u32,
}

impl Endpoint {
    /// What TCP knows of the path in use; `None` for datagrams. Only while the endpoint is adopted.
    pub(crate) fn known(&self) -> Option<Known> {
        if self.is_datagram() {
            return None;
        }
        let mut raw = sys::shim_learnt::default();
        // SAFETY: adopted, so there is an inner socket.
        unsafe { sys::shim_path_learnt(self.as_ptr(), &mut raw) };
        Some(Known {
            learnt: Learnt {
                window: raw.cwnd,
                threshold: raw.ssthresh,
                srtt: raw.srtt_us,
                deviation: raw.mdev_us,
                deviation_max: raw.mdev_max_us,
                variation: raw.rttvar_us,
                segment: raw.segment.into(),
                repairing: raw.repairing,
            },
            agreed: raw.agreed.into(),
        })
    }

    /// Sends data along another path from now on. `start`: what that begins with, `None` if its
    /// addresses are those of the path before. Only while the endpoint is adopted.
    pub(crate) fn set_path(&self, net: NetRef, to: &DataPath, start: Option<&Start>) {
        if self.is_datagram() {
            return self.set_datagram_path(net, to);
        }
        let path = routed(net, &to.path, to.receiver);
        let start = start.map(raw_start);
        let start = start.as_ref().map_or(core::ptr::null(), core::ptr::from_ref);
        // SAFETY: adopted, so there is an inner socket; `start` is null or valid.
        unsafe { sys::shim_tcp_set_path(self.as_ptr(), &path, start) };
    }

    /// Sends nothing until [`Endpoint::set_path`]. Only while the endpoint is adopted.
    pub(crate) fn suspend(&self, path: &Path) {
        if self.is_datagram() {
            return self.suspend_datagrams(path);
        }
        let path = sys::shim_path {
            usable: 0,
            ..shim_path(path)
        };
        // SAFETY: adopted, so there is an inner socket.
        unsafe { sys::shim_tcp_set_path(self.as_ptr(), &path, core::ptr::null()) };
    }

    /// Tries smaller packets; their size with the IP header, or `None` if there are none smaller.
    /// Only while the endpoint is adopted.
    pub(crate) fn shrink(&self) -> Option<u32> {
        if self.is_datagram() {
            // Whoever sends datagrams chooses their size.
            return None;
        }
        let smaller = self.sizes().smaller();
        let segment = smaller.map_or(0, |size| size.saturating_sub(PLAIN_HEADERS));
        let segment = u16::try_from(segment).unwrap_or(0);
        // SAFETY: adopted, so there is an inner socket.
        unsafe { sys::shim_path_limit(self.as_ptr(), segment) };
        smaller
    }

    /// Has TCP look for a larger packet size, if it was lowered. Only while the endpoint is adopted.
    pub(crate) fn raise(&self) {
        if self.is_datagram() {
            return;
        }
        let sizes = self.sizes();
        match sizes.search() {
            // SAFETY: adopted, so there is an inner socket.
            Some((low, high)) => unsafe { sys::shim_path_search(self.as_ptr(), low, high) },
            None if sizes.route == 0 => {} // Until there is a path again.
            // SAFETY: as above.
            None => unsafe { sys::shim_path_settle(self.as_ptr()) },
        }
    }

    fn sizes(&self) -> Sizes {
        let mut raw = sys::shim_sizes::default();
        // SAFETY: the callers' endpoint is adopted, so there is an inner socket.
        unsafe { sys::shim_path_sizes(self.as_ptr(), &mut raw) };
        Sizes {
            packet: raw.packet,
            limit: u32::from(raw.segment).saturating_add(PLAIN_HEADERS),
            agreed: u32::from(raw.agreed).saturating_add(PLAIN_HEADERS),
            route: raw.route,
            family: if raw.v6 { Family::V6 } else { Family::V4 },
        }
    }
}

fn raw_start(start: &Start) -> sys::shim_start {
    sys::shim_start {
        learnt: sys::shim_learnt {
            cwnd: start.learnt.window,
            ssthresh: start.learnt.threshold,
            srtt_us: start.learnt.srtt,
            mdev_us: start.learnt.deviation,
            mdev_max_us: start.learnt.deviation_max,
            rttvar_us: start.learnt.variation,
            segment: u16::try_from(start.learnt.segment).unwrap_or(u16::MAX),
            ..Default::default()
        },
        again_cwnd: start.again_window,
        again_ssthresh: start.again_threshold,
        lowered: start.lowered,
        pad: [0; 3],
    }
}
