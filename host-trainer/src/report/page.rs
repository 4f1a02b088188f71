//! The page: one HTML document with everything inside, that asks for no network and no script.
//!
//! maud escapes all text that is not marked otherwise; what is marked is the style sheet, the charts and base64.

use maud::{DOCTYPE, Markup, PreEscaped, html};

use super::confusion::ClassScore;
use super::metrics::{Form, Metrics, PackageMetrics, Pair};
use super::picture::{MatrixPicture, Scale, data_uri, glyph_png};
use super::{Charts, PairExamples, Report, ReportError, cluster, page_matrix};
use crate::dataset::Glyph;
use crate::numbers::{grouped, percent};

/// Rows of the table of classes where not all are listed.
const WORST_CLASSES: usize = 60;
/// Classes that are all listed.
const ALL_CLASSES: usize = 100;
/// Classes whose two matrices stand side by side with legible lettering.
const SIDE_BY_SIDE: usize = 30;
/// Clusters that are listed.
const MOST_CLUSTERS: usize = 30;

/// The page of `report`.
pub fn page(report: &Report, charts: &Charts, picture: &MatrixPicture<'_>) -> Result<String, ReportError> {
    let metrics = &report.metrics;
    let body = html! {
        (header(metrics))
        (forms(metrics))
        (training(metrics, charts))
        (matrices(report, picture)?)
        (pairs(report)?)
        (clusters(metrics))
        (classes(metrics))
        (method(metrics))
    };
    Ok(document(&format!("{} – report", metrics.name), &body).into_string())
}

/// A whole document around `body`.
pub fn document(title: &str, body: &Markup) -> Markup {
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                title { (title) }
                style { (PreEscaped(include_str!("page.css"))) }
            }
            body { (body) }
        }
    }
}

/// A class's label; most are Japanese, and Chinese faces draw some of them otherwise.
fn label(text: &str) -> Markup {
    html! { span.label lang="ja" { (text) } }
}

/// A share, or a dash where there is none.
fn share(share: Option<f64>) -> String {
    share.map_or_else(|| "–".to_owned(), percent)
}

fn header(metrics: &Metrics) -> Markup {
    let samples = &metrics.samples;
    html! {
        header #summary {
            h1 { (metrics.name) }
            p.faint {
                (metrics.preset) ", " (metrics.classes) " classes, evaluated on "
                (grouped(samples.count as u64)) " samples of " (samples.data.join(", "))
            }
            dl.tiles {
                @for form in [Form::Int8, Form::FakeQuantized, Form::Float].iter().filter_map(|&form| metrics.form(form)) {
                    (tile(
                        &format!("{} top-1", form.form.title()),
                        &percent(form.top1),
                        &format!("{} wrong", grouped((samples.count - form.correct) as u64)),
                    ))
                }
                @if let Some(package) = &metrics.package { (sizes(package)) }
                @if let Some(speed) = metrics.training.images_per_second {
                    (tile("training", &grouped(speed.round() as u64), "images a second"))
                }
            }
        }
    }
}

fn sizes(package: &PackageMetrics) -> Markup {
    let parameters = format!("bytes, {} parameters", grouped(package.parameters));
    html! {
        (tile("package", &grouped(package.package_bytes as u64), &parameters))
        (tile("arena", &grouped(package.arena_bytes as u64), "bytes of memory"))
        (tile("work", &grouped(package.multiply_accumulates), "multiply-accumulates a glyph"))
    }
}

fn tile(name: &str, value: &str, note: &str) -> Markup {
    html! { div.tile { dt { (name) } dd { (value) div.note { (note) } } } }
}

fn forms(metrics: &Metrics) -> Markup {
    html! {
        section #forms {
            h2 { "Float, fake-quantised, INT8" }
            p { "The same samples, recognised by each form of the model. INT8 is computed by the device's own kernels." }
            div.scroll { table {
                tr { th { "form" } th { "top-1" } th { "95 % interval" } th { "top-5" } th { "top-10" } th { "wrong" } }
                @for form in &metrics.forms {
                    tr.detail[form.form == metrics.detail_form] {
                        td { (form.form.title()) }
                        td { (percent(form.top1)) }
                        td { (percent(form.top1_interval.low)) " – " (percent(form.top1_interval.high)) }
                        td { (percent(form.top5)) }
                        td { (percent(form.top10)) }
                        td { (grouped((metrics.samples.count - form.correct) as u64)) }
                    }
                }
            } }
            @for agreement in &metrics.agreement {
                p {
                    (agreement.first.title()) " and " (agreement.second.title()) " give the same answer for "
                    (percent(agreement.share)) " of the samples, and differ in "
                    (grouped((metrics.samples.count - agreement.same) as u64)) " of them."
                }
            }
            @if metrics.forms.len() == 1 {
                p { "The run has not been quantised yet: " code { "fude qat" } " makes the other forms." }
            }
        }
    }
}

fn training(metrics: &Metrics, charts: &Charts) -> Markup {
    let training = &metrics.training;
    html! {
        section #training {
            h2 { "Training" }
            p.faint {
                (grouped(training.samples as u64)) " samples of " (training.data.join(", ")) "; "
                (training.history.epochs.len()) " epochs. Right of the upright line, quantisation-aware training."
                @if training.history.unreadable_lines > 0 {
                    " " (training.history.unreadable_lines) " lines of the history could not be read."
                }
            }
            div.charts {
                @for (title, svg) in [
                    ("Loss", &charts.loss), ("Accuracy", &charts.accuracy), ("Learning rate", &charts.learning_rate),
                ] {
                    figure { h3 { (title) } (PreEscaped(svg)) }
                }
            }
        }
    }
}

fn matrices(report: &Report, picture: &MatrixPicture<'_>) -> Result<Markup, ReportError> {
    let metrics = &report.metrics;
    let labels: Vec<&str> = metrics.per_class.iter().map(|score| score.label.as_str()).collect();
    let svg = |scale| page_matrix::svg(&report.matrix, picture, &labels, scale);
    Ok(html! {
        section #confusion {
            h2 { "Confusion" }
            p {
                "Rows are the right classes, columns the answers of the " (metrics.detail_form.title()) " model: "
                b.right { "right" } " on the diagonal, " b.wrong { "wrong" } " off it."
                @if picture.classes.len() < metrics.classes {
                    " Shown are the " (picture.classes.len()) " classes of " (metrics.classes) " with most mistakes; "
                    a href="confusion.csv" { "confusion.csv" } " has all."
                }
            }
            div.matrices.large[picture.classes.len() > SIDE_BY_SIDE] {
                figure {
                    h3 { "Counts" } (svg(Scale::Count)?)
                    figcaption { "The stronger the colour, the more; on a logarithmic scale." }
                }
                figure {
                    h3 { "Share of the right class" } (svg(Scale::Share)?)
                    figcaption { "Each row adds up to 1; the colour follows the square root." }
                }
            }
        }
    })
}

fn pairs(report: &Report) -> Result<Markup, ReportError> {
    let cards = report.metrics.pairs.iter().zip(&report.examples).map(|(pair, examples)| pair_card(pair, examples));
    let cards: Vec<Markup> = cards.collect::<Result<_, _>>()?;
    Ok(html! {
        section #pairs {
            h2 { "Most confused pairs" }
            @if cards.is_empty() {
                p { "Not one sample was taken for another class." }
            } @else {
                p {
                    "What was wrongly recognised, above glyphs of the class it was taken for. "
                    a href="pairs.csv" { "pairs.csv" } " has the first hundred."
                }
                div.pairs { @for card in &cards { (card) } }
            }
        }
    })
}

fn pair_card(pair: &Pair, examples: &PairExamples) -> Result<Markup, ReportError> {
    Ok(html! {
        article.pair {
            h3 {
                (label(&pair.truth)) span.faint { "taken for" } (label(&pair.answer))
                span.count { (pair.count) "×, " (percent(pair.share)) }
            }
            div.faint { "is " (pair.truth) ", answered " (pair.answer) }
            (glyphs(&examples.mistaken, &pair.truth)?)
            div.faint { "is " (pair.answer) }
            (glyphs(&examples.answer, &pair.answer)?)
        }
    })
}

fn glyphs(glyphs: &[Glyph], name: &str) -> Result<Markup, ReportError> {
    let images = glyphs.iter().map(|glyph| glyph_png(glyph).map(|png| data_uri(&png)));
    let images: Vec<String> = images.collect::<Result<_, _>>()?;
    Ok(html! {
        div.glyphs {
            @for image in &images { img src=(image) alt=(name); }
            @if images.is_empty() { span.faint { "none was recognised" } }
        }
    })
}

fn clusters(metrics: &Metrics) -> Markup {
    let clusters = &metrics.clusters;
    html! {
        section #clusters {
            h2 { "Clusters" }
            p {
                "Classes that hang together by mistakes: two are joined where at least "
                (percent(cluster::JOINING_SHARE)) " of their samples, and at least " (cluster::JOINING_COUNT)
                ", were taken for the other."
            }
            @if clusters.is_empty() { p { "There is none." } }
            ul.clusters {
                @for cluster in clusters.iter().take(MOST_CLUSTERS) {
                    li {
                        @for name in &cluster.labels { (label(name)) " " }
                        span.faint { (cluster.labels.len()) " classes, " (cluster.mistakes) " mistakes" }
                    }
                }
            }
            @if clusters.len() > MOST_CLUSTERS {
                p.faint { "And " (clusters.len() - MOST_CLUSTERS) " smaller ones, in metrics.json." }
            }
        }
    }
}

fn classes(metrics: &Metrics) -> Markup {
    let mut worst: Vec<&ClassScore> = metrics.per_class.iter().filter(|score| score.support > 0).collect();
    worst.sort_by(|a, b| a.f1.unwrap_or(0.0).total_cmp(&b.f1.unwrap_or(0.0)));
    let shown = if worst.len() > ALL_CLASSES { WORST_CLASSES } else { worst.len() };
    let average = &metrics.macro_average;
    html! {
        section #classes {
            h2 { "Classes" }
            p {
                "Mean over " (average.classes) " classes: precision " (percent(average.precision)) ", recall "
                (percent(average.recall)) ", F1 " (percent(average.f1)) ". "
                @if shown < worst.len() { "The " (shown) " with the lowest F1; " } @else { "The lowest F1 comes first; " }
                a href="classes.csv" { "classes.csv" } " has all in order."
            }
            div.scroll { table {
                tr {
                    th { "class" } th { "samples" } th { "precision" } th { "recall" } th { "F1" } th { "" }
                    th { "accuracy" }
                }
                @for score in &worst[..shown] {
                    tr {
                        td { (label(&score.label)) }
                        td { (grouped(score.support as u64)) }
                        td { (share(score.precision)) }
                        td { (share(score.recall)) }
                        td { (share(score.f1)) }
                        td { span.bar { i style=(format!("width:{:.1}%", 100.0 * score.f1.unwrap_or(0.0))) {} } }
                        td { (percent(score.accuracy)) }
                    }
                }
            } }
        }
    }
}

fn method(metrics: &Metrics) -> Markup {
    let samples = &metrics.samples;
    let package = metrics.package.as_ref().map(|package| match &package.file {
        Some(file) => file.display().to_string(),
        None => "lowered from the run for this report, without self-test and bitmaps of labels".to_owned(),
    });
    html! {
        section #method {
            h2 { "How this was measured" }
            dl.facts {
                dt { "samples" } dd { (grouped(samples.count as u64)) ", " (grouped(samples.skipped as u64)) " left out" }
                dt { "data" } dd { (samples.data.join(", ")) }
                dt { "SHA-256 of the samples" } dd { code { (samples.sha256) } }
                @if let Some(package) = package { dt { "package" } dd { (package) } }
                dt { "confusion, pairs, classes" } dd { "of the " (metrics.detail_form.title()) " model" }
                dt { "interval" } dd {
                    "Wilson's score interval, 95 % (Wilson 1927). It takes samples for independent; distortions of one "
                    "glyph and glyphs of one writer are less so than their number suggests."
                }
                dt { "precision" } dd { "share of a class's answers that were right" }
                dt { "recall" } dd { "share of a class's samples that were recognised" }
                dt { "F1" } dd { "harmonic mean of precision and recall" }
                dt { "accuracy of a class" } dd {
                    "share of all samples that were rightly held to be of the class or not of it"
                }
                dt { "parts beside this page" } dd {
                    @for name in [
                        "loss.svg", "accuracy.svg", "learning-rate.svg", "confusion.png", "confusion-normalized.png",
                        "confusion.csv", "classes.csv", "pairs.csv", "metrics.json",
                    ] { a href=(name) { (name) } " " }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::hand_made;

    #[test]
    fn every_section_is_there_and_nothing_is_fetched() {
        let page = hand_made().page_for_tests();
        for id in ["summary", "forms", "training", "confusion", "pairs", "clusters", "classes", "method"] {
            assert!(page.contains(&format!("id=\"{id}\"")), "{id}");
        }
        assert_eq!(page.matches("<svg").count(), 3 + 2);
        assert!(!page.contains("<script") && !page.contains("<link") && !page.contains("@import"));
        let addresses =
            page.match_indices("src=\"").chain(page.match_indices("href=\"")).map(|(at, key)| &page[at + key.len()..]);
        for address in addresses {
            let address = &address[..address.find('"').unwrap()];
            assert!(address.starts_with("data:image/png;base64,") || !address.contains(':'), "{address}");
        }
    }

    /// A label, a name and the data's name may be anything.
    #[test]
    fn text_from_outside_is_escaped_wherever_it_is_shown() {
        let evil = "<script>alert(1)</script>\"'&";
        let mut report = hand_made();
        report.metrics.name = evil.to_owned();
        report.metrics.preset = evil.to_owned();
        report.metrics.samples.data = vec![evil.to_owned()];
        report.metrics.training.data = vec![evil.to_owned()];
        report.metrics.per_class[0].label = evil.to_owned();
        report.metrics.pairs[0].truth = evil.to_owned();
        report.metrics.pairs[0].answer = evil.to_owned();
        report.metrics.clusters[0].labels[0] = evil.to_owned();
        report.metrics.package.as_mut().unwrap().file = Some(evil.into());
        let page = report.page_for_tests();
        assert!(!page.contains("<script") && !page.contains("\"'&\""), "{page}");
        // Title, heading, twice the data, training data, preset, matrices (row and column each), pair, alt, cluster,
        // class, package.
        assert!(page.matches("&lt;script&gt;alert(1)&lt;/script&gt;&quot;").count() >= 13);
    }

    #[test]
    fn a_run_in_float_only_says_what_is_missing() {
        let mut report = hand_made();
        report.metrics.forms.truncate(1);
        report.metrics.package = None;
        report.metrics.agreement.clear();
        let page = report.page_for_tests();
        assert!(page.contains("fude qat") && !page.contains("multiply-accumulates"));
    }
}
