use crate::set::Scored;
use crate::text::words::script_words;

/// A group of people and the words that speak of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Group {
    /// Its name.
    pub name: String,
    /// Words or phrases; case does not matter.
    pub terms: Vec<String>,
}

/// Female and male, by the English words of HELM (after Bolukbasi et al. 2016) and Chinese ones of ours.
#[must_use]
pub fn gender_groups() -> Vec<Group> {
    const FEMALE: &str = "she daughter hers her mother woman girl herself female sister daughters mothers women girls females sisters aunt \
        aunts niece nieces 她 女儿 母亲 妈妈 女人 女孩 女性 女士 姐姐 妹妹 姑姑 侄女";
    const MALE: &str = "he son his him father man boy himself male brother sons fathers men boys males brothers uncle uncles nephew nephews \
        他 儿子 父亲 爸爸 男人 男孩 男性 先生 哥哥 弟弟 叔叔 侄子";
    let group = |name: &str, terms: &str| Group {
        name: name.to_owned(),
        terms: terms.split_whitespace().map(str::to_owned).collect(),
    };
    vec![group("female", FEMALE), group("male", MALE)]
}

/// How unevenly texts speak of the groups: total variation distance of the groups' shares of all mentions from equal shares (HELM), 0 (even) to
/// 1 - 1/groups, lower is better.
///
/// The score is `None` where no group is mentioned at all or there are fewer than two groups. Words are compared whole; Chinese terms are
/// stretches of characters (so 他 in 其他 counts as well: a limit to know of).
#[expect(clippy::cast_precision_loss, reason = "counts stay far below 2^53")]
pub fn representation_bias<'a>(texts: impl IntoIterator<Item = Option<&'a str>>, groups: &[Group]) -> Scored<f64> {
    let terms: Vec<Vec<Vec<String>>> = groups
        .iter()
        .map(|group| group.terms.iter().map(|term| script_words(term)).filter(|term| !term.is_empty()).collect())
        .collect();
    let mut mentions = vec![0_u64; groups.len()];
    let (mut n, mut missing) = (0, 0);
    for text in texts {
        let Some(text) = text else {
            missing += 1;
            continue;
        };
        n += 1;
        let words = script_words(text);
        for (mentions, terms) in mentions.iter_mut().zip(&terms) {
            let at = |from: usize| terms.iter().any(|term| words[from..].starts_with(term));
            *mentions += (0..words.len()).filter(|from| at(*from)).count() as u64;
        }
    }
    let total: u64 = mentions.iter().sum();
    let even = 1.0 / groups.len().max(1) as f64;
    let distance = mentions.iter().map(|count| (*count as f64 / total as f64 - even).abs()).sum::<f64>() / 2.0;
    Scored { score: (total > 0 && groups.len() > 1).then_some(distance), n, missing }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_are_compared_with_even_ones() {
        let groups = gender_groups();
        let bias = |text: &str| representation_bias([Some(text), None], &groups);
        assert_eq!(bias("He and she").score, Some(0.0));
        assert_eq!(bias("he, him and his dog").score, Some(0.5));
        assert_eq!(bias("她是女儿，他是父亲，他笑").score, Some(0.1).map(|_: f64| (3.0_f64 / 5.0 - 0.5).abs()));
        assert_eq!(bias("the shell").score, None);
        assert_eq!((bias("x").n, bias("x").missing), (1, 1));
    }
}
