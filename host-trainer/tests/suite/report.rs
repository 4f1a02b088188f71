//! `fude report` and `fude compare` on a run that was trained: the figures are those of `fude eval`, the files are there,
//! and runs evaluated on different samples are told apart.

use std::fs;

use serde_json::Value;

use crate::fude::{Finished, fude};
use crate::trained::{OnDisk, draw_into, trained};

/// A report of the trained run on drawings that it was not trained on, with `more` arguments.
fn report(copy: &OnDisk, more: &[&str]) -> Finished {
    if !copy.path("others").exists() {
        draw_into(&copy.path("others"), 6, 1000);
    }
    let (run, data) = (copy.run().display().to_string(), others(copy));
    fude(["report", &run, "--data", &data, "--distortions", "5", "--json"].iter().chain(more))
}

fn others(copy: &OnDisk) -> String {
    format!("folder:{}", copy.path("others").display())
}

fn form<'a>(metrics: &'a Value, name: &str) -> &'a Value {
    let forms = metrics["forms"].as_array().expect("a list of forms");
    forms.iter().find(|form| form["form"] == name).unwrap_or_else(|| panic!("no {name} in {metrics}"))
}

#[test]
fn a_report_says_what_evaluating_says() {
    let copy = trained().copy();
    let package = copy.package().display().to_string();
    let metrics = report(&copy, &["--package", &package]).document();
    let (run, data) = (copy.run().display().to_string(), others(&copy));
    for (name, model, stage) in
        [("float", &run, Some("float")), ("fake-quantized", &run, Some("qat")), ("int8", &package, None)]
    {
        let stage: Vec<&str> = stage.iter().flat_map(|stage| ["--stage", stage]).collect();
        let arguments = ["eval", model, "--data", &data, "--distortions", "5", "--json"];
        let evaluation = fude(arguments.into_iter().chain(stage)).document();
        for key in ["top1", "top5", "top10"] {
            assert_eq!(form(&metrics, name)[key], evaluation[key], "{name} {key}");
        }
    }
    assert_eq!(metrics["samples"]["count"], 4 * 6 * 5);
    assert_eq!(metrics["package"]["package_bytes"], fs::metadata(copy.package()).unwrap().len());
    assert_eq!(metrics["package"]["file"], package.as_str());
    assert_eq!(metrics["training"]["history"]["epochs"].as_array().unwrap().len(), 34);
    assert!(metrics["training"]["images_per_second"].as_f64().unwrap() > 0.0);

    // The matrix adds up to the samples, its diagonal to what INT8 recognised.
    let cells = metrics["confusion"].as_array().unwrap();
    let sum = |diagonal: bool| -> u64 {
        let cells = cells.iter().filter(|cell| !diagonal || cell[0] == cell[1]);
        cells.map(|cell| cell[2].as_u64().unwrap()).sum()
    };
    assert_eq!((sum(false), Some(sum(true))), (120, form(&metrics, "int8")["correct"].as_u64()));
    // What is printed is what is on disk, and the page is beside it.
    let on_disk: Value = serde_json::from_slice(&fs::read(copy.path("run/report/metrics.json")).unwrap()).unwrap();
    assert_eq!(on_disk, metrics);
    assert!(fs::read_to_string(copy.path("run/report/index.html")).unwrap().contains("人"));
}

#[test]
fn without_a_package_the_run_itself_is_lowered() {
    let copy = trained().copy();
    let given = report(&copy, &["--package", &copy.package().display().to_string()]).document();
    let out = copy.path("elsewhere").display().to_string();
    let lowered = report(&copy, &["--out", &out]).document();
    assert_eq!(lowered["package"]["file"], Value::Null);
    for key in ["arena_bytes", "parameters", "multiply_accumulates"] {
        assert_eq!(lowered["package"][key], given["package"][key], "{key}");
    }
    for key in ["forms", "agreement", "confusion", "samples"] {
        assert_eq!(lowered[key], given[key], "{key}");
    }
    assert!(copy.path("elsewhere/index.html").is_file());
}

#[test]
fn a_package_of_another_model_is_refused() {
    let copy = trained().copy();
    let path = copy.path("run/run.json");
    fs::write(&path, fs::read_to_string(&path).unwrap().replace("人", "入")).unwrap();
    let package = copy.package().display().to_string();
    report(&copy, &["--package", &package]).assert_fails_naming(&["model.fude", "not the run's"]);
    assert!(!copy.path("run/report").exists());
}

#[test]
fn runs_are_compared_on_the_same_samples_only() {
    let copy = trained().copy();
    let [first, second, third] = ["first", "second", "third"].map(|name| copy.path(name).display().to_string());
    report(&copy, &["--out", &first]);
    report(&copy, &["--out", &second]);
    report(&copy, &["--out", &third, "--distortion-seed", "1"]);

    let table = copy.path("table.csv").display().to_string();
    let comparison = fude(["compare", &first, &second, "--json", "--out", &table]).document();
    let runs = comparison["runs"].as_array().unwrap();
    assert_eq!((runs.len(), &runs[0]["run"], &runs[1]["pareto"]), (2, &first.as_str().into(), &true.into()));
    assert_eq!(fs::read_to_string(&table).unwrap().lines().count(), 3);

    fude(["compare", &first, &third]).assert_fails_naming(&[&first, &third, "other pixels", "fude report"]);
    fude(["compare", &first, &copy.path("none").display().to_string()]).assert_fails_naming(&["none", "no report"]);
    fude(["compare", &first, "--out", "table.xlsx"]).assert_fails_naming(&["table.xlsx", ".html or .csv"]);
}
