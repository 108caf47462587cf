// SPDX-License-Identifier: Apache-2.0 OR MIT
//! From results to what people read: expressions, texts, tables, pictures, pages.

mod answer;
mod drawing;
mod expression;
mod page;
mod view;
mod ways;

pub use answer::{Answer, Section};
pub use drawing::{draw, Mark, MarkKind};
pub use expression::{parse_expression, ExpressionError};
pub use page::page;
pub use view::{
    change_text, count_text, cube_text, packet_fields, packet_text, rule_text, set_json, set_lines,
    trace_lines,
};
