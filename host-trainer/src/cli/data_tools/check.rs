//! `fude data check`: what may be wrong with data.

use std::cell::RefCell;

use clap::Args;

use crate::cli::data::{DataArguments, DataOptions, at_least_one};
use crate::cli::outcome::{grouped, rows};
use crate::cli::progress::bar;
use crate::cli::{CliError, Outcome};
use crate::dataset::check::{Balance, CheckReport, CheckedSet, Duplicates, Place, SetReport, check};
use crate::dataset::{DataSpec, Dataset};

/// Look for what is wrong with data: unreadable records, empty and inverted pictures, copies in more than one set or
/// part, uneven classes. Fails where there is something to mend.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  fude data check idx:train-images-idx3-ubyte.gz --hold-back 10000
  fude data check etl:ETL9G etl:ETL8G --list 50
  fude data check folder:my-glyphs fonts:/usr/share/fonts --characters grade1 --json")]
pub struct CheckArguments {
    /// Data, named as for `fude train --data`. Several are also checked against each other.
    #[arg(value_name = "KIND:PATH", required = true)]
    pub data: Vec<DataSpec>,
    #[command(flatten)]
    pub options: DataOptions,
    /// List this many findings of a kind.
    #[arg(long, value_name = "N", default_value_t = 10, value_parser = at_least_one())]
    pub list: usize,
}

/// Runs the subcommand.
pub fn run(arguments: &CheckArguments) -> Result<Outcome, CliError> {
    let sets = load(arguments)?;
    let total = sets.iter().filter_map(|set| set.dataset.as_ref()).map(|dataset| dataset.samples.len()).sum();
    let progress = bar(total, "looking at the pictures");
    let report = check(&sets, arguments.list, &|| progress.inc(1));
    progress.finish_and_clear();
    let clean = report.problems.is_empty();
    Ok(Outcome::new(&report, text(&report))?.succeeding(clean))
}

/// Loads each set as far as it can be read, and finds the part of each sample.
fn load(arguments: &CheckArguments) -> Result<Vec<CheckedSet>, CliError> {
    let data = DataArguments { data: arguments.data.clone(), options: arguments.options.clone() };
    let load_one = |spec: &DataSpec| {
        let faults = RefCell::new(Vec::new());
        let dataset = data.load_one(spec, false, Some(&|fault| faults.borrow_mut().push(fault.to_string())));
        // A fault of the whole is listed like those of its records: the other sets are still worth a look.
        let dataset = dataset.map_err(|fault| faults.borrow_mut().push(fault.to_string())).ok();
        CheckedSet { name: spec.to_string(), dataset, faults: faults.take(), parts: None }
    };
    let mut sets: Vec<CheckedSet> = arguments.data.iter().map(load_one).collect();
    let readable: Vec<&Dataset> = sets.iter().filter_map(|set| set.dataset.as_ref()).collect();
    if let Some(parts) = data.parts(&readable)? {
        let mut parts = parts.into_iter();
        for set in &mut sets {
            set.parts = set.dataset.as_ref().and_then(|_| parts.next());
        }
    }
    Ok(sets)
}

fn text(report: &CheckReport) -> String {
    let names: Vec<&str> = report.sets.iter().map(|set| set.name.as_str()).collect();
    let mut text: String =
        report.sets.iter().zip(1..).map(|(set, number)| format!("{}\n", set_text(set, number))).collect();
    text.push_str(&duplicates_text("exact copies", &report.exact_duplicates, &names));
    text.push_str(&duplicates_text("near copies", &report.near_duplicates, &names));
    if report.near_duplicates.groups > 0 {
        text.push_str(
            "  (alike at 16×16 in black and white: simple shapes are by chance, so look before removing any)\n",
        );
    }
    match &report.problems[..] {
        [] => text.push_str("\nnothing to mend\n"),
        problems => {
            text.push_str("\nto mend:\n");
            problems.iter().for_each(|problem| text.push_str(&format!("  {problem}\n")));
        }
    }
    text
}

fn set_text(set: &SetReport, number: usize) -> String {
    let count = |number: usize| grouped(number as u64);
    let mut table = vec![("samples", format!("{} ({} unlabelled)", count(set.samples), count(set.unlabelled)))];
    table.push(("sources", count(set.sources)));
    if let Some(Balance { classes, without_samples, fewest, median, most }) = &set.balance {
        table.push(("classes", format!("{} ({} without samples)", count(*classes), count(*without_samples))));
        let (fewest, most) = (format!("{} {}", count(fewest.1), fewest.0), format!("{} {}", count(most.1), most.0));
        table.push(("a class", format!("fewest {fewest}, median {}, most {most}", count(*median))));
    }
    let sizes = set.sizes.iter().take(3);
    let sizes: Vec<String> =
        sizes.map(|size| format!("{}×{} ({})", size.width, size.height, count(size.samples))).collect();
    let more = if set.sizes.len() > 3 { format!(" and {} other sizes", set.sizes.len() - 3) } else { String::new() };
    table.push(("pictures", format!("{}{more}, {:.1} % ink", sizes.join(", "), set.ink_percent)));
    for (name, findings) in [("empty", &set.empty), ("inverted", &set.inverted)] {
        let first: Vec<String> = findings.first.iter().map(ToString::to_string).collect();
        let first = if first.is_empty() { String::new() } else { format!(" (first {})", first.join(", ")) };
        table.push((name, format!("{}{first}", count(findings.count))));
    }
    table.push(("unreadable", count(set.unreadable.count)));
    let mut text = format!("set {number}: {}\n{}", set.name, rows(&table));
    set.unreadable.first.iter().for_each(|fault| text.push_str(&format!("  {fault}\n")));
    text
}

fn duplicates_text(name: &str, found: &Duplicates, sets: &[&str]) -> String {
    let Duplicates { groups, samples, across_sets, across_parts, other_labels, first } = found;
    let [groups, samples] = [*groups, *samples].map(|number| grouped(number as u64));
    let across = format!("across parts {across_parts}, across sets {across_sets}, other labels {other_labels}");
    let mut text = format!("{name}: {groups} pictures in {samples} samples; {across}\n");
    for group in first {
        let places: Vec<String> = group.places.iter().map(|place| place_text(place, sets)).collect();
        let more = if group.samples > places.len() { " …" } else { "" };
        text.push_str(&format!("  {}{more}\n", places.join(" = ")));
    }
    text
}

/// A sample by its number, with that of its set where there are several.
fn place_text(place: &Place, sets: &[&str]) -> String {
    let set = sets.iter().position(|name| *name == place.set).filter(|_| sets.len() > 1);
    let set = set.map_or(String::new(), |set| format!("{}:", set + 1));
    let part = place.part.map(|part| format!("{part:?}").to_lowercase());
    let details: Vec<String> = [place.label.clone(), part].into_iter().flatten().collect();
    let details = if details.is_empty() { String::new() } else { format!(" ({})", details.join(", ")) };
    format!("{set}{}{details}", place.sample)
}
