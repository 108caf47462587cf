// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Header Space Analysis (Kazemian, Varghese, McKeown, NSDI 2012) made exact.
//!
//! A header is a point in {0,1}^L. A network is boxes with tables of rules, ports and links
//! ([`model`]). Readers fill the model, [`space`] holds the exact set algebra, [`transfer`] turns
//! tables into transfer functions, and [`analysis`] answers questions about the whole network.

pub mod analysis;
pub mod generate;
pub mod header;
pub mod model;
pub mod read;
pub mod report;
pub mod space;
pub mod transfer;
