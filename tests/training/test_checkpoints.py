import dataclasses
import hashlib
import json

import pytest
import safetensors
import torch

from course_lib import data, models, training
from course_lib.training.checkpoints import SHIPPED

ENTRY = training.Checkpoint(
    model="small_resnet",
    arguments={"width": 4},
    data="shapes()",
    command="course train tiny",
    seed=0,
    threads=1,
    accuracy=0.5,
)


@pytest.fixture
def saved(tmp_path):
    """A folder with one checkpoint, `tiny`, and the network in it."""
    torch.manual_seed(0)
    network = models.small_resnet(width=4)
    network(torch.randn(8, 3, 16, 16))  # running statistics that are not 0 and 1
    training.save(network, "tiny", ENTRY, tmp_path)
    return tmp_path, network


def test_comes_back_as_it_was_ready_to_use(saved):
    folder, network = saved
    loaded = training.load("tiny", folder)
    assert not loaded.training
    assert type(loaded) is type(network)
    for (name, value), (other_name, other) in zip(
        network.state_dict().items(), loaded.state_dict().items(), strict=True
    ):
        assert name == other_name and torch.equal(value, other) and value.dtype == other.dtype


def test_manifest_says_what_it_is(saved):
    folder, _ = saved
    entry = training.entries(folder)["tiny"]
    content = (folder / "tiny.safetensors").read_bytes()
    assert entry == dataclasses.replace(ENTRY, sha256=hashlib.sha256(content).hexdigest(), size=len(content))
    assert json.loads((folder / "manifest.json").read_text())["tiny"]["command"] == "course train tiny"


def test_any_safetensors_reader_can_open_it(saved):
    with safetensors.safe_open(saved[0] / "tiny.safetensors", framework="numpy") as file:
        assert file.get_tensor("fc.weight").shape == (10, 16)


def test_the_same_weights_give_the_same_bytes_whatever_their_layout(saved, tmp_path):
    folder, network = saved
    again = training.save(network.to(memory_format=torch.channels_last), "tiny", ENTRY, tmp_path / "again")
    assert again.sha256 == training.entries(folder)["tiny"].sha256


def test_saving_another_keeps_the_first(saved):
    folder, _ = saved
    training.save(
        models.MLP([3, 2]), "dense", dataclasses.replace(ENTRY, model="MLP", arguments={"sizes": [3, 2]}), folder
    )
    assert list(training.entries(folder)) == ["dense", "tiny"]
    assert training.load("dense", folder).sizes == (3, 2)
    training.load("tiny", folder)


@pytest.mark.parametrize("place", [0, 100, -1])
def test_one_changed_byte_is_noticed(saved, place):
    path = saved[0] / "tiny.safetensors"
    content = bytearray(path.read_bytes())
    content[place] ^= 1
    path.write_bytes(content)
    with pytest.raises(ValueError, match=r"tiny\.safetensors is damaged.*make it again: course train tiny"):
        training.load("tiny", saved[0])


def test_a_file_cut_short_is_noticed(saved):
    path = saved[0] / "tiny.safetensors"
    path.write_bytes(path.read_bytes()[:1000])
    with pytest.raises(ValueError, match=r"damaged or was changed: 1,000 bytes"):
        training.load("tiny", saved[0])


def test_a_missing_file_says_how_to_make_it(saved):
    (saved[0] / "tiny.safetensors").unlink()
    with pytest.raises(FileNotFoundError, match=r"is missing.*course train tiny"):
        training.load("tiny", saved[0])


def test_an_unknown_name_lists_the_known(saved, tmp_path):
    with pytest.raises(ValueError, match=r"no checkpoint 'huge' in .*; there are: tiny"):
        training.load("huge", saved[0])
    with pytest.raises(ValueError, match="there are: none"):
        training.load("tiny", tmp_path / "empty")


@pytest.mark.parametrize("text", ["{", "[]", '{"tiny": {"weight": 1}}', '{"tiny": 3}', "\udcff"])
def test_a_manifest_that_is_none(saved, text):
    (saved[0] / "manifest.json").write_bytes(text.encode("utf-8", "surrogateescape"))
    with pytest.raises(ValueError, match=r"manifest\.json is not a manifest of checkpoints"):
        training.load("tiny", saved[0])


def test_weights_of_another_network_do_not_fit(tmp_path):
    training.save(models.MLP([3, 2]), "tiny", ENTRY, tmp_path)
    with pytest.raises(ValueError, match="does not fit small_resnet"):
        training.load("tiny", tmp_path)


class TestShipped:
    def test_every_one_has_a_recipe_and_the_reverse(self):
        assert set(training.entries()) == set(training.recipe_names())

    def test_the_folder_holds_nothing_else_and_is_small(self):
        files = {path.name for path in SHIPPED.iterdir()}
        assert files == {"manifest.json", *(f"{name}.safetensors" for name in training.entries())}
        assert sum(path.stat().st_size for path in SHIPPED.iterdir()) < 12e6

    @pytest.mark.parametrize("name", training.recipe_names())
    def test_loads_and_says_how_it_was_made(self, name):
        entry = training.entries()[name]
        assert not training.load(name).training
        assert entry.command == f"course train {name}"
        assert entry.made_with.keys() >= {"python", "torch", "machine"}

    def test_shapes_resnet_is_as_accurate_as_its_manifest_says(self):
        entry = training.entries()["shapes_resnet"]
        found = training.evaluate(training.load("shapes_resnet"), data.shapes(train=0).test)
        assert found.accuracy == pytest.approx(entry.accuracy, abs=0.002)
        assert 0.89 <= entry.accuracy <= 0.94
        assert entry.size < 0.5e6

    def test_shapes_resnet_suffers_from_crude_weights(self):
        """Hard enough for the labs: rounding to 8 bits costs nothing, to 3 bits visibly, to 2 bits nearly all."""
        test = data.shapes(train=0).test
        accuracy = {}
        for bits in (8, 3, 2):
            model = training.load("shapes_resnet")
            for parameter in model.parameters():
                if parameter.ndim > 1:
                    step = parameter.detach().abs().max() / (2 ** (bits - 1) - 1)
                    parameter.data = (parameter.data / step).round() * step
            accuracy[bits] = training.evaluate(model, test).accuracy
        exact = training.entries()["shapes_resnet"].accuracy
        assert abs(accuracy[8] - exact) < 0.01
        assert accuracy[3] < exact - 0.03
        assert accuracy[2] < 0.5
