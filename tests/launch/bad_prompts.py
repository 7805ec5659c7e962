"""Lines with bad input, and what is said: of prompt tuning: its data, models, prompts and services."""

PROMPTS = {
    "JSON that is nothing": (
        "run --objective prompt_tuning --objective.words a,b --objective.data null.json",
        "null.json.*row 1 is None, not an object",
    ),
    "alpha of 0": ("run --objective prompt_tuning --objective.split.alpha 0", "objective.split.alpha is 0.0.*above 0"),
    "texts all perturbed": (
        "run --objective prompt_tuning --objective.perturb 1",
        "objective.perturb is 1.0.*at least 0 and below 1",
    ),
    "missing data": ("run --objective prompt_tuning --objective.data none.csv", "data is none.csv"),
    "a column that is not there": ("run --objective prompt_tuning --objective.data texts.csv", "label"),
    "a class of one example": (
        "run --objective prompt_tuning --objective.data few.csv --objective.words bad,good",
        "data has 1 example.* of the class .*at least 2",
    ),
    "a model that is not there": (
        "run --objective prompt_tuning --objective.data enough.csv --objective.words bad,good --peers 2"
        " --objective.min_examples 1 --objective.model no/such-model",
        "model is no/such-model",
    ),
    "a template without a mask": (
        "run --objective prompt_tuning --objective.blackbox masked_lm --objective.blackbox.template {prompt}{text}",
        "objective.blackbox.template is {prompt}{text}: it must have <mask> once",
    ),
    "an unknown task": (
        "run --objective prompt_tuning --objective.blackbox causal_lm --objective.blackbox.template sst3",
        "objective.blackbox.template is sst3: it must be one of sst2, ",
    ),
    "a mode of another black box": (
        "run --objective prompt_tuning --objective.blackbox masked_lm --objective.blackbox.mode text",
        "objective.blackbox.mode",
    ),
    "pairs for a model of single texts": (
        "run --objective prompt_tuning --objective.data pairs.csv --objective.text_column a,b",
        "text_column is a,b: it must name one column: pairs of texts need a template",
    ),
    "single texts for a template of pairs": (
        "run --objective prompt_tuning --objective.data enough.csv --objective.blackbox masked_lm"
        " --objective.blackbox.template rte",
        "text_column is text: it must name two columns",
    ),
    "a model that is no masked language model": (
        "run --objective prompt_tuning --objective.data enough.csv --objective.blackbox masked_lm --peers 2"
        " --objective.min_examples 1 --objective.blackbox.template sst2 --objective.model gpt",
        "model is gpt: it must be of a family that AutoModelForMaskedLM supports, but is gpt2; name one of albert",
    ),
    "a black box without its path": (
        "run --objective prompt_tuning --objective.blackbox function",
        "objective.blackbox.path is missing: it has no default",
    ),
    "a device that there is not": (
        "run --objective prompt_tuning --objective.blackbox causal_lm --objective.blackbox.device gpu",
        "objective.blackbox.device is gpu: it must be auto, cpu, cuda",
    ),
    "texts for a model of images": (
        "run --objective prompt_tuning --objective.data enough.csv --objective.blackbox image_text",
        "text_column is text: it must hold images: it holds texts, and the blackbox image_text takes",
    ),
    "a folder of no images": (
        "run --objective prompt_tuning --objective.data there --objective.blackbox image_text",
        "data is there: it must hold a folder of images per class",
    ),
    "no run to export": ("export there --out a", "folder is there: it must be a run's folder"),
    "nowhere to export to": ("export there", "out is missing"),
    "a folder to export to that is there": ("export there --out there", "out is there.*never overwritten"),
    "an option of export": ("export there --to a", "--to is not an option: there are folder, out"),
    "too few samples": (
        "run --algorithm.estimator policy_gradient --algorithm.estimator.samples 1",
        "algorithm.estimator.samples is 1.*at least 2",
    ),
    "no discrete prompts to draw": (
        "run --algorithm.estimator policy_gradient",
        "estimator is policy_gradient: it needs discrete prompts.*discrete_prompt",
    ),
    "gains of a server's algorithm": ("run --algorithm FedBBPT --algorithm.a 0", "algorithm.a is 0.0.*above 0"),
    "a form of no distribution": (
        "run --objective prompt_tuning --objective.parameters discrete_prompt --objective.parameters.form odds",
        "objective.parameters.form is odds: it must be one of probabilities, logits",
    ),
    "a rate of nothing": (
        "run --objective prompt_tuning --objective.blackbox endpoint --objective.blackbox.requests_per_minute 0",
        "objective.blackbox.requests_per_minute is 0.0: it must be a finite number above 0",
    ),
    "a price that is no number": ("plan --price-input free", "price_input is free: it must be a number"),
    "a price with its currency": ("plan --price-output 2EUR", "price_output is 2EUR: it must be a number"),
    "a GGUF file of no known architecture": (
        "run --objective prompt_tuning --objective.data enough.csv --objective.blackbox causal_lm --peers 2"
        " --objective.min_examples 1 --objective.model odd.gguf --objective.words bad,good --quiet",
        "model is odd.gguf: it must be of an architecture that transformers reads from GGUF files .*name a folder",
    ),
    "label words that begin alike": (
        "run --objective prompt_tuning --objective.data enough.csv --objective.blackbox endpoint --peers 2"
        " --objective.min_examples 1 --objective.model tokens --objective.prompt a"
        " --objective.words good_film,good_line --quiet",
        "words is good_film, good_line: it must differ in their first token, but good_film and good_line both begin "
        "with good; choose other words; an endpoint can score whole_words",
    ),
}
