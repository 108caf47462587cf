// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Reachability from many ports at once, on all processors.

use super::reach::{reach, Reach};
use crate::model::PortId;
use crate::space::Set;
use crate::transfer::Plane;
use rayon::prelude::*;

/// Calls `visit` with the reachability of `headers` from each source, and returns its answers in
/// the order of the sources. The sources are shared out among the threads of the current rayon
/// pool, each with its own copy of the plane; with one thread no copy but one is made. Sets given
/// to `visit` are valid in the plane it is given and end with the call.
pub fn reach_each<R: Send>(
    plane: &Plane,
    sources: &[PortId],
    headers: Set,
    visit: impl Fn(&mut Plane, PortId, &Reach) -> R + Sync,
) -> Vec<R> {
    let share = sources.len().div_ceil(rayon::current_num_threads()).max(1);
    let answers = sources.par_chunks(share).map(|sources| {
        let mut plane = plane.clone();
        let each = sources.iter().map(|&source| {
            let reached = reach(&mut plane, &[(source, headers)]);
            visit(&mut plane, source, &reached)
        });
        each.collect::<Vec<R>>()
    });
    answers
        .collect::<Vec<Vec<R>>>()
        .into_iter()
        .flatten()
        .collect()
}
