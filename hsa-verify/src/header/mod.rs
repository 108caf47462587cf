// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Headers as bit strings: concrete points, ternary wildcard expressions and the named fields
//! that people read and write instead of bits.

mod bits;
mod layout;
mod wildcard;

pub use bits::Bits;
pub use layout::{Field, FieldId, FieldKind, Layout, LayoutError, ValueError};
pub use wildcard::{ParseWildcardError, Wildcard, WildcardUnion};
