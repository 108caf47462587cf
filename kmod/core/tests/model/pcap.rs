// SPDX-License-Identifier: GPL-2.0-only
//! ECCP packets in a capture file (the classic pcap format; Ethernet, Linux cooked and raw IP).

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::trace::Seen;

/// IP protocol number of native encapsulation.
const NATIVE: u8 = 253;
const UDP: u8 = 17;
/// UDP port of ECCP.
const PORT: u16 = 4433;

/// The ECCP packets of a capture file, in its order, and how many other packets it holds.
pub fn packets(file: &[u8]) -> Result<(Vec<Seen<'_>>, usize), String> {
    let layout = Layout::of(file)?;
    let (mut seen, mut others, mut at) = (Vec::new(), 0, 24);
    while at < file.len() {
        let head = file.get(at..at + 16).ok_or("the last packet is cut off")?;
        let word = |n: usize| layout.word(&head[4 * n..4 * n + 4]);
        let length = word(2) as usize;
        let body = file.get(at + 16..at + 16 + length);
        let body = body.ok_or_else(|| format!("the packet at byte {at} is cut off"))?;
        let fraction = u64::from(word(1)) / if layout.nanoseconds { 1_000 } else { 1 };
        let time = u64::from(word(0)) * 1_000_000 + fraction;
        match layout.ip(body).and_then(|ip| eccp(time, ip)) {
            Some(packet) => seen.push(packet),
            None => others += 1,
        }
        at += 16 + length;
    }
    Ok((seen, others))
}

struct Layout {
    big_endian: bool,
    nanoseconds: bool,
    link: u32,
}

impl Layout {
    fn of(file: &[u8]) -> Result<Self, String> {
        let head = file
            .get(..24)
            .ok_or("shorter than the header of a pcap file")?;
        let (big_endian, nanoseconds) = match head[..4] {
            [0xa1, 0xb2, 0xc3, 0xd4] => (true, false),
            [0xd4, 0xc3, 0xb2, 0xa1] => (false, false),
            [0xa1, 0xb2, 0x3c, 0x4d] => (true, true),
            [0x4d, 0x3c, 0xb2, 0xa1] => (false, true),
            [0x0a, 0x0d, 0x0d, 0x0a] => return Err("pcapng; convert it to pcap first".into()),
            _ => return Err("not a pcap file".into()),
        };
        let mut layout = Self {
            big_endian,
            nanoseconds,
            link: 0,
        };
        layout.link = layout.word(&head[20..24]);
        match layout.link {
            1 | 101 | 113 | 276 => Ok(layout),
            other => Err(format!("link type {other} is not known here")),
        }
    }

    fn word(&self, bytes: &[u8]) -> u32 {
        let bytes = bytes.try_into().expect("four bytes");
        match self.big_endian {
            true => u32::from_be_bytes(bytes),
            false => u32::from_le_bytes(bytes),
        }
    }

    /// The IP packet in a frame.
    fn ip<'a>(&self, frame: &'a [u8]) -> Option<&'a [u8]> {
        let start = match self.link {
            1 => match frame.get(12..14)? {
                [0x81, 0x00] => 18,
                _ => 14,
            },
            113 => 16,
            276 => 20,
            _ => 0,
        };
        frame.get(start..)
    }
}

/// The ECCP packet in an IP packet, of which the end of the payload may have been cut off.
pub fn eccp(time: u64, ip: &[u8]) -> Option<Seen<'_>> {
    let (protocol, addresses, payload) = match ip.first()? >> 4 {
        4 => {
            let header = usize::from(ip[0] & 15) * 4;
            let total = usize::from(u16::from_be_bytes([*ip.get(2)?, *ip.get(3)?]));
            let address = |at: usize| {
                let bytes: [u8; 4] = ip.get(at..at + 4)?.try_into().ok()?;
                Some(IpAddr::from(Ipv4Addr::from(bytes)))
            };
            let ends = (address(12)?, address(16)?);
            (*ip.get(9)?, ends, ip.get(header..total.min(ip.len()))?)
        }
        6 => {
            let length = usize::from(u16::from_be_bytes([*ip.get(4)?, *ip.get(5)?]));
            let address = |at: usize| {
                let bytes: [u8; 16] = ip.get(at..at + 16)?.try_into().ok()?;
                Some(IpAddr::from(Ipv6Addr::from(bytes)))
            };
            let ends = (address(8)?, address(24)?);
            (*ip.get(6)?, ends, ip.get(40..(40 + length).min(ip.len()))?)
        }
        _ => return None,
    };
    let port = |at: usize| {
        Some(u16::from_be_bytes([
            *payload.get(at)?,
            *payload.get(at + 1)?,
        ]))
    };
    let (ports, bytes) = match protocol {
        NATIVE => (None, payload),
        UDP if port(0)? == PORT || port(2)? == PORT => {
            (Some((port(0)?, port(2)?)), payload.get(8..)?)
        }
        _ => return None,
    };
    Some(Seen {
        time,
        addresses,
        ports,
        bytes,
    })
}
