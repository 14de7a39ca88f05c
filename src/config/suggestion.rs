//! Finds the name that a misspelt one was probably meant to be.

use strsim::osa_distance;

/// The candidate that is closest to `word`, whatever its case; none if no one is close: a third of the letters may be wrong,
/// two at most. Two letters that are swapped count as one, as does an end that is missing.
pub(super) fn closest<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    // A long word is no misspelling, and comparing it would take long.
    if word.len() > 64 {
        return None;
    }
    let word = word.to_lowercase();
    let limit = (word.chars().count() / 3).clamp(1, 2);
    let distance = |candidate: &str| {
        let is_beginning = word.len() >= 3 && candidate.starts_with(&word);
        if is_beginning { 1 } else { osa_distance(&word, candidate) }
    };
    let near = candidates.into_iter().map(|candidate| (distance(&candidate.to_lowercase()), candidate));
    near.filter(|(distance, _)| *distance <= limit)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

/// `; did you mean 'NAME'?`, or nothing.
pub(super) fn did_you_mean<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> String {
    closest(word, candidates).map_or_else(String::new, |candidate| format!("; did you mean '{candidate}'?"))
}

#[cfg(test)]
mod tests {
    use super::closest;

    #[test]
    fn misspelt_names_are_recognized() {
        let names = ["resource", "domain", "username", "port", "enable", "id"];
        for (word, expected) in [
            ("resuorce", Some("resource")),
            ("Resource", Some("resource")),
            ("resourc", Some("resource")),
            ("user_name", Some("username")),
            ("prot", Some("port")),
            ("enabled", Some("enable")),
            ("ip", Some("id")),
            ("user", Some("username")),
            ("us", None),
            ("colour", None),
            ("main", None),
            ("", None),
        ] {
            assert_eq!(closest(word, names), expected, "{word}");
        }
        assert_eq!(closest(&"resource".repeat(100), names), None);
    }
}
