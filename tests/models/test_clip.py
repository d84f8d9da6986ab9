"""Projectors and the CLIP model."""

from __future__ import annotations

import json
import math
from dataclasses import asdict

import pytest
import torch

from dnaclip._errors import InputError, MissingKeyError
from dnaclip.models import ClipModel, Projector, ProjectorConfig, clip_loss

SHAPES = [
    ProjectorConfig(in_dim=6),
    ProjectorConfig(in_dim=6, out_dim=3, dropout=0.5),
    ProjectorConfig(in_dim=6, out_dim=3, hidden=(10,), input_norm=True),
    ProjectorConfig(in_dim=6, out_dim=3, hidden=(10, 5), dropout=0.5, residual=True),
]


def towers(**out_dim: int) -> dict[str, torch.nn.Module]:
    return {
        name: Projector(ProjectorConfig(in_dim=4, out_dim=d), seed=i) for i, (name, d) in enumerate(out_dim.items())
    }


@pytest.mark.parametrize("config", SHAPES)
def test_projector_gives_rows_of_length_one(config: ProjectorConfig) -> None:
    projector = Projector(config).eval()
    features = torch.randn(7, 6, generator=torch.Generator().manual_seed(0))
    out = projector(features)
    assert out.shape == (7, config.out_dim)
    torch.testing.assert_close(out.norm(dim=1), torch.ones(7))
    # One gene's embedding does not depend on its company.
    torch.testing.assert_close(projector(features[2:3]), out[2:3])


def test_all_zero_features_give_finite_rows() -> None:
    projector = Projector(ProjectorConfig(in_dim=4, out_dim=2))
    for parameter in projector.parameters():
        torch.nn.init.zeros_(parameter)
    assert projector(torch.zeros(2, 4)).tolist() == [[0, 0], [0, 0]]


@pytest.mark.parametrize("config", SHAPES)
def test_seed_decides_the_weights(config: ProjectorConfig) -> None:
    one, again, other = (torch.cat([p.flatten() for p in Projector(config, seed=s).parameters()]) for s in (3, 3, 4))
    assert torch.equal(one, again)
    assert not torch.equal(one, other)


def test_residual_adds_a_linear_map() -> None:
    projector = Projector(ProjectorConfig(in_dim=4, out_dim=3, hidden=(5,), residual=True))
    for parameter in projector.layers.parameters():
        torch.nn.init.zeros_(parameter)
    features = torch.eye(4)
    assert projector.skip is not None
    torch.testing.assert_close(projector(features), torch.nn.functional.normalize(projector.skip(features), dim=1))


def test_input_norm_makes_the_scale_of_the_input_irrelevant() -> None:
    projector = Projector(ProjectorConfig(in_dim=4, input_norm=True))
    features = torch.tensor([[1.0, 2.0, 3.0, 5.0]])
    torch.testing.assert_close(projector(features), projector(100 * features), atol=1e-4, rtol=1e-4)


def test_dropout_only_while_training() -> None:
    features = torch.ones(4, 6)
    for config in (SHAPES[1], SHAPES[3]):
        projector = Projector(config)
        with torch.random.fork_rng():
            assert not torch.equal(projector.train()(features), projector(features))
        assert torch.equal(projector.eval()(features), projector(features))


def test_config_survives_json() -> None:
    config = ProjectorConfig(in_dim=6, hidden=(10, 5), residual=True)
    assert ProjectorConfig(**json.loads(json.dumps(asdict(config)))) == config


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"in_dim": 0}, "in_dim must be a whole number of at least 1, got 0"),
        ({"in_dim": 4, "out_dim": 2.5}, "out_dim must be a whole number of at least 1, got 2.5"),
        ({"in_dim": 4, "hidden": (8, -1)}, "hidden must be a whole number of at least 1, got -1"),
        ({"in_dim": 4, "dropout": 1.0}, "dropout must be at least 0 and below 1, got 1.0"),
        ({"in_dim": 4, "residual": True}, "residual=True adds a linear map to hidden layers, but hidden is empty"),
    ],
)
def test_config_refuses(settings: dict, message: str) -> None:
    with pytest.raises(InputError, match=message):
        ProjectorConfig(**settings)


def test_model_embeds_what_the_batch_holds() -> None:
    model = ClipModel(towers(dna=3, text=3, protein=3))
    assert model.modalities == ("dna", "text", "protein")
    out = model({"text": (torch.ones(2, 4),), "dna": (torch.ones(2, 4),)})
    assert list(out) == ["text", "dna"]
    assert torch.equal(out["text"], model.towers["text"](torch.ones(2, 4)))


def test_a_tower_is_any_module_of_several_tensors() -> None:
    class Pool(torch.nn.Module):
        def forward(self, values: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
            pooled = (values * mask[..., None]).sum(1)
            return torch.nn.functional.normalize(pooled, dim=1)

    model = ClipModel({"dna": Pool(), **towers(text=3)})
    out = model({"dna": (torch.ones(2, 5, 3), torch.ones(2, 5)), "text": (torch.ones(2, 4),)})
    assert out["dna"].shape == (2, 3)


def test_model_loss_is_clip_loss_at_its_scale() -> None:
    model = ClipModel(towers(dna=3, text=3), logit_scale=7.0)
    sides = {"dna": torch.eye(3), "text": torch.eye(3).flip(0)}
    same = torch.tensor([0, 0, 1])
    expected = clip_loss(sides["dna"], sides["text"], 7.0, same=same)
    assert model.loss(sides, same=same).item() == pytest.approx(expected.item(), rel=1e-6)
    model.loss(sides).backward()
    assert model.log_scale.grad is not None


def test_fixed_scale_gets_no_gradient() -> None:
    model = ClipModel(towers(dna=3, text=3), learn_scale=False)
    assert not model.log_scale.requires_grad
    assert model.logit_scale.item() == pytest.approx(1 / 0.07)


def test_scale_is_clamped_at_100_and_can_come_back() -> None:
    model = ClipModel(towers(dna=3, text=3))
    torch.nn.init.constant_(model.log_scale, 6.0)
    model.clamp_scale()
    assert model.log_scale.item() == pytest.approx(math.log(100))
    # Wrong pairs at the bound: the gradient must still be there to bring the scale down.
    model.loss({"dna": torch.eye(3), "text": torch.eye(3).flip(0)}).backward()
    assert model.log_scale.grad is not None
    assert model.log_scale.grad.item() > 0


@pytest.mark.parametrize("scale", [0.0, -1.0, 100.5, float("nan"), float("inf")])
def test_scale_out_of_range(scale: float) -> None:
    with pytest.raises(InputError, match="use a number above 0 and at most 100"):
        ClipModel(towers(dna=3, text=3), logit_scale=scale)


def test_one_tower_or_an_unknown_loss() -> None:
    with pytest.raises(InputError, match=r"at least two towers, got \['dna'\]"):
        ClipModel(towers(dna=3))
    with pytest.raises(InputError, match="loss='nce' is not known. Use one of: 'clip'"):
        ClipModel(towers(dna=3, text=3), loss="nce")


def three_towers(**options: object) -> ClipModel:
    towers = {name: Projector(ProjectorConfig(in_dim=5, out_dim=4), seed=i) for i, name in enumerate("abc")}
    return ClipModel(towers, **options)  # type: ignore[arg-type]


def test_a_gene_that_lacks_a_modality_has_no_embedding_in_it() -> None:
    rows = {name: torch.randn(6, 5, generator=torch.Generator().manual_seed(i)) for i, name in enumerate("abc")}
    rows["c"][2] = 0
    found = three_towers(partial=True)({name: (vectors,) for name, vectors in rows.items()})
    assert not found["c"][2].any()
    assert all(found[name].norm(dim=1).count_nonzero() == (5 if name == "c" else 6) for name in "abc")
    assert three_towers()({name: (vectors,) for name, vectors in rows.items()})["c"][2].any()


def test_the_bias_of_siglip_is_learned_and_others_have_none() -> None:
    model = three_towers(loss="siglip")
    sides = {name: torch.eye(4) for name in "abc"}
    model.loss(sides).backward()
    assert model.bias is not None
    assert model.bias.grad is not None
    assert "bias" not in three_towers().state_dict()


def test_the_penalty_counts_only_with_the_vectors_before_the_towers() -> None:
    model = three_towers(loss="penalized_clip", penalty=2.0)
    sides = {name: torch.eye(4) for name in "abc"}
    without = model.loss(sides)
    torch.testing.assert_close(without, three_towers().loss(sides))
    with_raw = model.loss(sides, raw={"a": torch.ones(4, 3)})
    assert with_raw.item() == pytest.approx(without.item() + 2.0 * 12 / 16)


def test_wrong_settings_of_the_loss_are_refused() -> None:
    with pytest.raises(MissingKeyError, match="'text' is not in the towers"):
        three_towers(anchor="text")
    with pytest.raises(InputError, match="penalty=-1"):
        three_towers(penalty=-1)
