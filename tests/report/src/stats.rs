//! Median and spread of a few figures.

/// The median; `None` of nothing.
#[must_use]
pub fn median(values: &[f64]) -> Option<f64> {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let middle = sorted.len() / 2;
    let upper = *sorted.get(middle)?;
    if sorted.len() % 2 == 1 {
        return Some(upper);
    }
    Some(f64::midpoint(*sorted.get(middle - 1)?, upper))
}

/// Smallest and largest; `None` of nothing.
#[must_use]
pub fn spread(values: &[f64]) -> Option<[f64; 2]> {
    let smallest = values.iter().copied().min_by(f64::total_cmp)?;
    let largest = values.iter().copied().max_by(f64::total_cmp)?;
    Some([smallest, largest])
}

#[cfg(test)]
#[path = "stats_test.rs"]
mod tests;
