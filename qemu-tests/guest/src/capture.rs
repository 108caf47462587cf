// SPDX-License-Identifier: GPL-2.0-only
//! Packets of an interface, seen and sent from below the network stack.

use std::io;
use std::net::{IpAddr, Ipv4Addr};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};

use crate::link;
use crate::namespace::Namespace;

const ETHERNET_HEADER: usize = 14;
const ETHERTYPE_IPV4: u16 = 0x0800;
/// IP protocol number of native encapsulation.
pub const NATIVE_PROTOCOL: u8 = 253;
const UDP: u8 = 17;

/// A packet socket on one interface.
#[derive(Debug)]
pub struct Tap {
    socket: OwnedFd,
}

impl Tap {
    /// Opens the interface of a namespace for receiving and sending frames.
    ///
    /// # Errors
    /// When the interface does not exist.
    pub fn open(namespace: &Namespace, interface: &str) -> Result<Self> {
        namespace.run(|| {
            let all = (libc::ETH_P_ALL as u16).to_be();
            // SAFETY: socket() takes no pointers, and its result is checked before it is owned.
            let socket = unsafe {
                let fd = libc::socket(
                    libc::AF_PACKET,
                    libc::SOCK_RAW | libc::SOCK_CLOEXEC,
                    i32::from(all),
                );
                check(fd)?;
                OwnedFd::from_raw_fd(fd)
            };
            // SAFETY: an all-zero sockaddr_ll is a valid value of the C struct.
            let mut address: libc::sockaddr_ll = unsafe { std::mem::zeroed() };
            address.sll_family = libc::AF_PACKET as u16;
            address.sll_protocol = all;
            address.sll_ifindex = link::index(interface)? as i32;
            // SAFETY: the pointer and the length are those of a live sockaddr_ll.
            check(unsafe {
                libc::bind(
                    socket.as_raw_fd(),
                    (&raw const address).cast(),
                    size_of_val(&address) as u32,
                )
            })
            .with_context(|| format!("packet socket on {interface}"))?;
            Ok(Tap { socket })
        })
    }

    /// The frames that `wanted` accepts until there are `count` of them or
    /// `limit` has passed.
    ///
    /// # Errors
    /// When the socket fails.
    pub fn collect(
        &self,
        count: usize,
        limit: Duration,
        wanted: impl Fn(&Frame) -> bool,
    ) -> Result<Vec<Frame>> {
        let deadline = Instant::now() + limit;
        let mut frames = Vec::new();
        let mut buffer = vec![0u8; 1 << 16];
        while frames.len() < count {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                break;
            }
            rustix::net::sockopt::set_socket_timeout(
                &self.socket,
                rustix::net::sockopt::Timeout::Recv,
                Some(left.max(Duration::from_millis(1))),
            )?;
            let flags = rustix::net::RecvFlags::empty();
            match rustix::net::recv(&self.socket, &mut buffer[..], flags) {
                Ok((_, length)) => {
                    if let Some(frame) = Frame::parse(&buffer[..length]) {
                        if wanted(&frame) {
                            frames.push(frame);
                        }
                    }
                }
                Err(rustix::io::Errno::AGAIN | rustix::io::Errno::INTR) => {}
                Err(error) => return Err(error).context("packet socket"),
            }
        }
        Ok(frames)
    }

    /// The first frame from one of some addresses, within five seconds.
    ///
    /// # Errors
    /// When the socket fails, or nothing came.
    pub fn first_from(&self, sources: &[IpAddr]) -> Result<Frame> {
        let ours = |frame: &Frame| sources.contains(&frame.source());
        let mut frames = self.collect(1, Duration::from_secs(5), ours)?;
        frames.pop().context("the packet socket saw no packet")
    }

    /// Sends frames as they are, many with one call.
    ///
    /// # Errors
    /// When the socket fails.
    pub fn send_all(&self, frames: &[Vec<u8>]) -> Result<()> {
        for chunk in frames.chunks(256) {
            send_batch(&self.socket, chunk)?;
        }
        Ok(())
    }
}

/// sendmmsg of messages without addresses; repeats what did not fit.
fn send_batch(socket: &OwnedFd, frames: &[Vec<u8>]) -> Result<()> {
    let mut vectors: Vec<libc::iovec> = frames
        .iter()
        .map(|frame| libc::iovec {
            iov_base: frame.as_ptr().cast_mut().cast(),
            iov_len: frame.len(),
        })
        .collect();
    let mut messages: Vec<libc::mmsghdr> = vectors
        .iter_mut()
        .map(|vector| {
            // SAFETY: an all-zero mmsghdr is a valid value of the C struct.
            let mut message: libc::mmsghdr = unsafe { std::mem::zeroed() };
            message.msg_hdr.msg_iov = vector;
            message.msg_hdr.msg_iovlen = 1;
            message
        })
        .collect();
    let mut sent = 0;
    while sent < messages.len() {
        let rest = &mut messages[sent..];
        // SAFETY: every message points to a live iovec, and that to a live frame,
        // which the kernel only reads.
        let result =
            unsafe { libc::sendmmsg(socket.as_raw_fd(), rest.as_mut_ptr(), rest.len() as u32, 0) };
        match check(result) {
            Ok(count) => sent += count as usize,
            // The queue of the interface is full for the moment.
            Err(error) if error.raw_os_error() == Some(libc::ENOBUFS) => {
                std::thread::yield_now();
            }
            Err(error) => return Err(error).context("sendmmsg"),
        }
    }
    Ok(())
}

fn check(result: i32) -> io::Result<i32> {
    if result < 0 {
        Err(io::Error::last_os_error())
    } else {
        Ok(result)
    }
}

/// An Ethernet frame with an ECCP packet over IPv4 in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Frame {
    bytes: Vec<u8>,
    eccp: usize,
}

impl Frame {
    /// Finds the ECCP packet in an Ethernet frame, native or in UDP.
    pub fn parse(bytes: &[u8]) -> Option<Self> {
        let ethertype = u16::from_be_bytes([*bytes.get(12)?, *bytes.get(13)?]);
        if ethertype != ETHERTYPE_IPV4 {
            return None;
        }
        let ip = bytes.get(ETHERNET_HEADER..)?;
        let header = usize::from(ip.first()? & 15) * 4;
        let eccp = match *ip.get(9)? {
            NATIVE_PROTOCOL => header,
            UDP => header + 8,
            _ => return None,
        };
        (ip.len() >= eccp + 12).then(|| Frame {
            bytes: bytes.to_vec(),
            eccp: ETHERNET_HEADER + eccp,
        })
    }

    /// The whole frame.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The IPv4 source address.
    pub fn source(&self) -> IpAddr {
        let at = ETHERNET_HEADER + 12;
        Ipv4Addr::new(
            self.bytes[at],
            self.bytes[at + 1],
            self.bytes[at + 2],
            self.bytes[at + 3],
        )
        .into()
    }

    /// The ECCP packet, from its header on.
    pub fn eccp(&self) -> &[u8] {
        &self.bytes[self.eccp..]
    }

    /// The type number in the ECCP header.
    pub fn kind(&self) -> u8 {
        self.eccp()[8] & 15
    }

    /// The same frame with another ECCP packet in it.
    pub fn with_eccp(&self, packet: &[u8]) -> Frame {
        let mut bytes = self.bytes[..self.eccp].to_vec();
        bytes.extend_from_slice(packet);
        let mut frame = Frame {
            bytes,
            eccp: self.eccp,
        };
        frame.set_lengths();
        frame
    }

    /// The same frame with another IPv4 source address.
    pub fn from_source(&self, source: [u8; 4]) -> Frame {
        let mut frame = self.clone();
        frame.bytes[ETHERNET_HEADER + 12..ETHERNET_HEADER + 16].copy_from_slice(&source);
        frame.set_lengths();
        frame
    }

    /// Makes IP's and UDP's lengths and checksums fit the content; UDP goes
    /// without a checksum.
    fn set_lengths(&mut self) {
        let length = (self.bytes.len() - ETHERNET_HEADER) as u16;
        let udp = self.bytes[ETHERNET_HEADER + 9] == UDP;
        let ip = &mut self.bytes[ETHERNET_HEADER..];
        let header = usize::from(ip[0] & 15) * 4;
        ip[2..4].copy_from_slice(&length.to_be_bytes());
        ip[10..12].fill(0);
        let sum = checksum(&ip[..header]);
        ip[10..12].copy_from_slice(&sum.to_be_bytes());
        if udp {
            let length = length - header as u16;
            ip[header + 4..header + 6].copy_from_slice(&length.to_be_bytes());
            ip[header + 6..header + 8].fill(0);
        }
    }
}

/// The Internet checksum (RFC 1071).
fn checksum(bytes: &[u8]) -> u16 {
    let mut sum: u32 = bytes
        .chunks(2)
        .map(|pair| u32::from(u16::from_be_bytes([pair[0], *pair.get(1).unwrap_or(&0)])))
        .sum();
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    !(sum as u16)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Ethernet, IPv4 header from the worked example of RFC 1071's users, 12 bytes of ECCP.
    fn native_frame() -> Vec<u8> {
        let mut bytes = vec![0u8; 12];
        bytes.extend_from_slice(&[8, 0]);
        bytes.extend_from_slice(&[0x45, 0, 0, 32, 0, 0, 0x40, 0, 64, 253, 0, 0]);
        bytes.extend_from_slice(&[10, 0, 0, 1, 10, 0, 0, 2]);
        bytes.extend_from_slice(&[1, 2, 3, 4, 5, 6, 7, 8, 0x15, 7, 6, 0]);
        bytes
    }

    #[test]
    fn the_packet_is_found_and_replaced() {
        let frame = Frame::parse(&native_frame()).unwrap();
        assert_eq!(frame.kind(), 5);
        assert_eq!(frame.eccp()[..3], [1, 2, 3]);
        let longer = frame.with_eccp(&[9; 20]);
        assert_eq!(longer.bytes()[16..18], [0, 40]);
        assert_eq!(checksum(&longer.bytes()[14..34]), 0);
        assert_eq!(
            longer.from_source([1, 1, 1, 1]).bytes()[26..30],
            [1, 1, 1, 1]
        );
    }

    #[test]
    fn other_frames_are_none() {
        let mut arp = native_frame();
        arp[13] = 6;
        assert_eq!(Frame::parse(&arp), None);
        assert_eq!(Frame::parse(&native_frame()[..40]), None);
    }
}
