"""CLIP and SigLIP score as their plain forward pass does, with a prompt before the words and with a frame of pixels."""

import io
import re
from pathlib import Path

import numpy as np
import PIL.Image
import pytest
import torch
import transformers
from tokenizers import Tokenizer, models, pre_tokenizers, processors

from dfedsam import DFedAvg, TwoPoint, simulate, topologies
from dfedsam.blackbox import DualEncoderConfig, ImageTextConfig
from dfedsam.blackbox.image_text import ImageText
from dfedsam.data.split import IID
from dfedsam.objectives import PromptTuning
from dfedsam.objectives.prompt.problem import PromptProblem

SIZE, WIDTH = 12, 16


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of a two-layer CLIP with random weights."""
    folder = tmp_path_factory.mktemp("clip")
    tokens = ["<s>", "a", "film", "the", "graph", "of", "</s>"]
    words = Tokenizer(models.WordLevel({token: i for i, token in enumerate(tokens)}, unk_token="a"))
    words.pre_tokenizer = pre_tokenizers.Whitespace()
    words.post_processor = processors.TemplateProcessing(
        single="<s> $A </s>", special_tokens=[("<s>", 0), ("</s>", len(tokens) - 1)]
    )
    marks = {"bos_token": "<s>", "eos_token": "</s>", "pad_token": "</s>"}
    tokenizer = transformers.PreTrainedTokenizerFast(tokenizer_object=words, **marks)
    tokenizer.save_pretrained(folder)
    common = {"hidden_size": WIDTH, "intermediate_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2}
    common |= {"projection_dim": 8, "initializer_range": 0.3}
    text = {"vocab_size": len(tokenizer), "max_position_embeddings": 40, "bos_token_id": 0, "eos_token_id": 6}
    torch.manual_seed(5)
    config = transformers.CLIPConfig(
        text_config={**common, **text, "pad_token_id": 6},
        vision_config={**common, "image_size": SIZE, "patch_size": 4},
        projection_dim=8,
    )
    transformers.logging.disable_progress_bar()
    transformers.CLIPModel(config).save_pretrained(folder)
    transformers.logging.enable_progress_bar()
    sizes = {"size": {"shortest_edge": SIZE}, "crop_size": {"height": SIZE, "width": SIZE}}
    transformers.CLIPImageProcessor(**sizes).save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def siglip(clip: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same with SigLIP, whose texts are as long as it reads."""
    folder = tmp_path_factory.mktemp("siglip")
    transformers.AutoTokenizer.from_pretrained(clip).save_pretrained(folder)
    common = {"hidden_size": WIDTH, "intermediate_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2}
    text = {"vocab_size": 7, "max_position_embeddings": 12, "bos_token_id": 0, "eos_token_id": 6, "pad_token_id": 6}
    torch.manual_seed(5)
    config = transformers.SiglipConfig(
        text_config={**common, **text, "projection_size": WIDTH},
        vision_config={**common, "image_size": SIZE, "patch_size": 4},
    )
    transformers.logging.disable_progress_bar()
    transformers.SiglipModel(config).save_pretrained(folder)
    transformers.logging.enable_progress_bar()
    transformers.SiglipImageProcessor(size={"height": SIZE, "width": SIZE}).save_pretrained(folder)
    return folder


@pytest.mark.parametrize("frame", [0, 2])
def test_siglip_scores_as_its_plain_forward(siglip: Path, pictures: Path, frame: int) -> None:
    """With a prompt of real words, which are the text, and with a frame that changes nothing."""
    box = build(tuning(siglip, pictures, frame))
    assert isinstance(box, ImageText)
    numbers = np.array([0, 20, 7])
    model = transformers.SiglipModel.from_pretrained(siglip, dtype=torch.float64).eval()
    processor, tokenizer = (
        auto.from_pretrained(siglip) for auto in (transformers.AutoImageProcessor, transformers.AutoTokenizer)
    )
    images = [PIL.Image.open(io.BytesIO(box.task.examples.images[number])) for number in numbers]
    pixels = processor(images=images, return_tensors="pt").pixel_values.double()
    prompts = {"": box.zero_shot(numbers)}
    if not frame:
        words = tokenizer("a film", add_special_tokens=False).input_ids
        prompts["a film "] = box.scores(box.prompt[None, None], numbers[None])[0, 0]
        text = box.scores(np.array(words)[None, None], numbers[None])[0, 0]
        np.testing.assert_allclose(text, prompts["a film "], rtol=1e-9)
    for prompt, scores in prompts.items():
        texts = [f"{prompt}{word}" for word in ("film", "graph")]
        ids = tokenizer(texts, padding="max_length", max_length=12, return_tensors="pt").input_ids
        with torch.no_grad():
            expected = model(input_ids=ids, pixel_values=pixels).logits_per_image - model.logit_bias
        np.testing.assert_allclose(scores, expected, rtol=1e-6, atol=1e-9)


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twelve reddish and twelve bluish noisy pictures, in a folder each."""
    folder, draws = tmp_path_factory.mktemp("pictures"), np.random.default_rng(0)
    for colour, name in ((0, "film"), (2, "graph")):
        (folder / name).mkdir()
        for i in range(12):
            pixels = draws.integers(0, 120, size=(SIZE + 3, SIZE, 3))
            pixels[..., colour] += 120
            PIL.Image.fromarray(pixels.astype(np.uint8)).save(folder / name / f"{i}.png")
    return folder


def tuning(clip: Path, pictures: Path, frame: int, **more) -> PromptTuning:
    usual = {
        "data": str(pictures),
        "text_column": "image",
        "model": str(clip),
        "blackbox": ImageTextConfig(frame=frame),
    }
    return PromptTuning(**{**usual, "prompt": "a film", "split": IID(), "min_examples": 2, "batch_size": 3, **more})


def build(objective: PromptTuning) -> ImageText:
    problem = objective.build(3, range(3), 0, np.dtype(np.float64))
    assert isinstance(problem, PromptProblem)
    assert isinstance(problem.black_box, ImageText)
    return problem.black_box


def plain(clip: Path, box: ImageText, number: int, prompt: np.ndarray, frame: int) -> np.ndarray:
    """Scores of one example: the oracle, by the library's own forward pass, a frame's pixels one after the other."""
    processor = transformers.AutoImageProcessor.from_pretrained(clip)
    tokenizer = transformers.AutoTokenizer.from_pretrained(clip)
    transformers.logging.disable_progress_bar()
    model = transformers.CLIPModel.from_pretrained(clip, dtype=torch.float64).eval()
    transformers.logging.enable_progress_bar()
    image = PIL.Image.open(io.BytesIO(box.task.examples.images[number]))
    pixels = processor(images=image, return_tensors="pt").pixel_values.double()
    scores = []
    for word in ("film", "graph"):
        ids = tokenizer(word).input_ids
        if frame:
            for colour in range(3):
                rest = iter(prompt[colour])
                for row in range(SIZE):
                    for column in range(SIZE):
                        if not (frame <= row < SIZE - frame and frame <= column < SIZE - frame) and word == "film":
                            pixels[0, colour, row, column] += next(rest)
        else:  # the prompt's tokens become words of a vocabulary of their own
            table = model.text_model.embeddings.token_embedding
            old = table.weight.data
            table.weight.data = torch.cat([old[: box.loaded.model.config.vocab_size], torch.tensor(prompt)])
            first = box.loaded.model.config.vocab_size
            ids = [ids[0], *range(first, first + len(prompt)), *ids[1:]]
        with torch.no_grad():
            scores.append(model(input_ids=torch.tensor([ids]), pixel_values=pixels).logits_per_image[0, 0].item())
    return np.array(scores)


@pytest.mark.parametrize("frame", [0, 2])
def test_scores_are_those_of_a_plain_forward(clip: Path, pictures: Path, frame: int) -> None:
    box = build(tuning(clip, pictures, frame))
    shape = (3, 144 - 64) if frame else (4, WIDTH)
    prompts = np.random.default_rng(1).normal(size=(2, 2, *shape))
    answers = box.scores(prompts, np.array([[0, 20], [7, -1]]))
    for peer, query, place, number in ((0, 0, 1, 20), (0, 1, 0, 0), (1, 1, 0, 7)):
        expected = plain(clip, box, number, prompts[peer, query], frame)
        np.testing.assert_allclose(answers[peer][query, place], expected, rtol=1e-6)
    bare = plain(clip, box, 4, np.zeros(shape) if frame else np.empty((0, WIDTH)), frame)
    np.testing.assert_allclose(box.zero_shot(np.array([4]))[0], bare, rtol=1e-6)
    assert box.usage.examples == 6


@pytest.mark.parametrize("frame", [0, 2])
def test_a_run_lowers_the_loss_and_exact_gradients_agree(clip: Path, pictures: Path, frame: int) -> None:
    objective = tuning(clip, pictures, frame, batch_size=0)
    problem = objective.build(3, range(3), 0, np.dtype(np.float64))
    batch = np.tile(np.arange(4), (3, 1))
    x, rest = np.tile(problem.start(), (3, 1)), np.random.default_rng(0)
    x += 0.1 * rest.normal(size=x.shape)
    u, mu = rest.normal(size=x.shape), 1e-4
    pair = problem.losses(np.stack([x + mu * u, x - mu * u], axis=1), batch)
    slopes = (problem.gradients(x, batch) * u).sum(axis=1)
    np.testing.assert_allclose((pair[:, 0] - pair[:, 1]) / (2 * mu), slopes, rtol=1e-3, atol=1e-6)
    rows = simulate(
        objective=objective,
        topology=topologies.make("ring", 3),
        algorithm=DFedAvg(local_steps=2, lr=0.02, estimator=TwoPoint(directions=8)),
        rounds=4,
    )
    assert rows["loss"].iloc[-1] < rows["loss"].iloc[0]


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"text_column": "text"}, "text_column is text: it must be a column: .* has image, label"),
        (
            {"blackbox": DualEncoderConfig()},
            "text_column is image: it must hold texts: it holds images, and the blackbox dual_encoder takes texts",
        ),
        ({"blackbox": ImageTextConfig(frame=6)}, "frame is 6: it must be less than half of the model's 12 pixels"),
        ({"prompt_tokens": 39}, "prompt_tokens is 39: it must be, with the longest class word's"),
    ],
)
def test_what_does_not_fit_is_refused(clip: Path, pictures: Path, wrong: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message) as caught:
        tuning(clip, pictures, **{"frame": 0, **wrong}).build(3, range(3), 0, np.dtype(np.float32))
    assert not re.search("\n", str(caught.value))
