"""Layers as Keras 1, 2 and tf.keras called them, in the words of today's Keras (notebook 10).

Every layer comes from the table here; a class that is not in it is refused by its name. Initializers, regularizers and
constraints matter in training only, and are dropped. Sources: the documentation of Keras 1.2.2 and 2.3.1, and
``keras/src/legacy/saving/legacy_h5_format.py``.
"""

from __future__ import annotations

import inspect
from typing import Any

import keras
from keras import layers

KNOWN = frozenset(
    "Activation Add Average AveragePooling2D BatchNormalization Bidirectional CenterCrop Concatenate Conv1D Conv2D "
    "Conv2DTranspose ConvLSTM2D Conv3D Cropping2D Dense DepthwiseConv2D Dropout ELU Flatten GRU GaussianDropout "
    "GaussianNoise GlobalAveragePooling1D GlobalAveragePooling2D GlobalMaxPooling1D GlobalMaxPooling2D Identity LSTM "
    "LayerNormalization LeakyReLU MaxPooling1D MaxPooling2D MaxPooling3D Maximum Minimum Multiply Normalization PReLU "
    "Permute ReLU RepeatVector Rescaling Reshape Resizing SeparableConv2D SimpleRNN Softmax SpatialDropout2D Subtract "
    "TimeDistributed UpSampling2D ZeroPadding2D".split()
)
RENAMED = {
    "AtrousConvolution2D": "Conv2D",
    "BatchNormalizationV1": "BatchNormalization",
    "BatchNormalizationV2": "BatchNormalization",
    "Convolution2D": "Conv2D",
    "Deconvolution2D": "Conv2DTranspose",
    "SeparableConvolution2D": "SeparableConv2D",
    "ThresholdedReLU": "ReLU",
}
ARGUMENTS = {
    "atrous_rate": "dilation_rate",
    "bias": "use_bias",
    "border_mode": "padding",
    "dim_ordering": "data_format",
    "dropout_U": "recurrent_dropout",
    "dropout_W": "dropout",
    "inner_activation": "recurrent_activation",
    "nb_filter": "filters",
    "output_dim": "units",
    "p": "rate",
    "sigma": "stddev",
    "subsample": "strides",
}
# What matters in training only, or says again what is known: a picture's size, a type, which becomes float32.
DROPPED = frozenset(
    "activity_regularizer adjustment autocast batch_input_shape batch_shape build_config consume_less dtype fused "
    "implementation init inner_init forget_bias_init input_dim input_dtype input_length input_shape is_placeholder "
    "noise_shape optional ragged seed sparse synchronized weights zero_output_for_mask".split()
)
DROPPED_ENDINGS = ("_initializer", "_regularizer", "_constraint", "_init")
ACTIVATIONS = frozenset(
    "elu exponential gelu hard_sigmoid leaky_relu linear relu relu6 selu sigmoid silu softmax softplus softsign swish "
    "tanh".split()
)
ORDERS = {"tf": "channels_last", "th": "channels_first"}
MERGED = {"sum": "Add", "mul": "Multiply", "concat": "Concatenate", "ave": "Average", "max": "Maximum"}
# Layers for which exchanging the axes is known to change nothing else.
TURNABLE = frozenset(
    "Activation Add Average AveragePooling2D BatchNormalization Concatenate Conv2D Cropping2D Dropout ELU Flatten "
    "GaussianDropout GaussianNoise GlobalAveragePooling2D GlobalMaxPooling2D Identity LeakyReLU MaxPooling2D Maximum "
    "Multiply ReLU Rescaling SpatialDropout2D Subtract UpSampling2D ZeroPadding2D".split()
)
TURNED_AXIS = {1: 3, 2: 1, 3: 2, -1: 2, -2: 1, -3: 3}  # of channels, rows, columns


@keras.saving.register_keras_serializable("steerlib")
def old_hard_sigmoid(x: Any) -> Any:  # noqa: ANN401
    """Compute min(max(0.2 x + 0.5, 0), 1), as Keras until 2 did; that of Keras 3 has the slope 1/6."""
    return keras.ops.clip(0.2 * x + 0.5, 0.0, 1.0)


def layer_of(kind: object, config: object, version: str, where: str) -> tuple[type[keras.Layer], dict[str, Any]]:
    """Translate the description of a layer.

    Introduced in notebook 10.

    Parameters
    ----------
    kind : str
        The ``class_name`` in the file.
    config : dict
    version : str
        Of the Keras that wrote it, such as "1.2.1", "2.3.0-tf"; empty where the file does not say.
    where : str
        The file and the layer, for errors.

    Returns
    -------
    class, arguments
        Of a layer of Keras 3. `data_format` is as the file has it.

    Raises
    ------
    ValueError
        Where the class, or one of its settings, is not known.
    """
    if not isinstance(kind, str) or not isinstance(config, dict):
        raise ValueError(f"{where}: expected a class and its settings")
    config = {ARGUMENTS.get(key, key): value for key, value in config.items()}
    name = _older(kind, config, where) or RENAMED.get(kind, kind)
    if name not in KNOWN:
        raise ValueError(f"{where} is of the class {kind[:60]!r}, which is not known, and code is never loaded for it")
    made = getattr(layers, name)
    allowed = set(inspect.signature(made.__init__).parameters) | {"name", "trainable"}
    chosen = {}
    for key, value in config.items():
        if key in DROPPED or key.endswith(DROPPED_ENDINGS) or (key[:2] in ("W_", "b_", "U_")):
            continue
        if key in ("activation", "recurrent_activation"):
            value = _activation(value, version, where)
        elif key == "data_format":
            value = ORDERS.get(value, value)
            if value not in (None, *ORDERS.values()):
                raise ValueError(f"{where}: data_format {value!r}: expected channels_first or channels_last")
        elif isinstance(value, dict):
            raise ValueError(f"{where}: its setting {key!r} is an object of its own, which is not loaded")
        if key == "stateful" and value:
            raise ValueError(f"{where} keeps a state from picture to picture: a map of one picture would not be true")
        if key in allowed:
            chosen[key] = value
        elif value not in (None, False, [], 0):
            raise ValueError(f"{where}: its setting {key!r} = {str(value)[:40]} is not known for {name}")
    if name == "UpSampling2D" and config.get("interpolation") not in (None, "nearest") and not _today(version):
        raise ValueError(f"{where}: pixels lay elsewhere when older Keras enlarged with {config['interpolation']!r}")
    return made, chosen


def _today(version: str) -> bool:
    return version[:1].isdigit() and version[:1] not in "12"


def _older(kind: str, config: dict[str, Any], where: str) -> str | None:
    """Translate in place what is more than another name; give the class where that is another one, too."""
    if {"nb_row", "nb_col"} <= set(config):
        config["kernel_size"] = [config.pop("nb_row"), config.pop("nb_col")]
    if kind == "Merge":
        mode, axis = config.get("mode"), config.get("concat_axis", -1)
        if mode not in MERGED:
            raise ValueError(f"{where} merges by {str(mode)[:40]!r}: expected one of {', '.join(MERGED)}")
        name = config["name"]
        config.clear()
        config.update({"name": name} | ({"axis": axis} if mode == "concat" else {}))
        return MERGED[mode]
    if kind.startswith("BatchNormalization"):
        if config.pop("mode", 0) != 0 or config.get("renorm"):
            raise ValueError(f"{where} normalizes each batch by itself: its answers would depend on other pictures")
        axis = config.get("axis")
        config["axis"] = axis[0] if isinstance(axis, list) and len(axis) == 1 else -1 if axis is None else axis
        for key in ("renorm_clipping", "renorm_momentum", "virtual_batch_size"):
            config.pop(key, None)
    if kind == "LeakyReLU" and "alpha" in config:
        config["negative_slope"] = config.pop("alpha")
    if kind == "ThresholdedReLU":
        config["threshold"] = config.pop("theta", 1.0)
    if kind == "GRU":
        config.setdefault("reset_after", False)
    if kind in ("LSTM", "GRU", "SimpleRNN", "ConvLSTM2D") and config.pop("time_major", False):
        raise ValueError(f"{where} has time before the pictures: not known")
    if kind == "ZeroPadding2D":
        padding = config.get("padding")
        if isinstance(padding, dict):
            padding = [padding.get(f"{side}_pad", 0) for side in ("top", "bottom", "left", "right")]
        config["padding"] = [padding[:2], padding[2:]] if isinstance(padding, list) and len(padding) == 4 else padding
    if kind == "Bidirectional" and config.pop("backward_layer", None) is not None:
        raise ValueError(f"{where} has a backward layer of its own: not known")
    return None


def _activation(value: object, version: str, where: str) -> object:
    """Give the name of an activation; a function where today's Keras has another one under that name."""
    if isinstance(value, dict) and value.get("class_name") == "function":
        value = value.get("config")
    if value is None:
        return None
    if not isinstance(value, str) or value not in ACTIVATIONS:
        raise ValueError(f"{where}: its activation {str(value)[:60]!r} is not known: expected one of Keras's own")
    if value == "hard_sigmoid" and not _today(version):
        return old_hard_sigmoid
    return value


def turned(made: type[keras.Layer], config: dict[str, Any], where: str) -> dict[str, Any]:
    """Give the settings of a layer for pictures with channels last, where the file has them first.

    Parameters
    ----------
    made, config
        As `layer_of` gives them, for a layer that takes (n, c, h, w) in the file.
    where : str

    Raises
    ------
    ValueError
        Where what it does depends on the order of the axes in a way that is not known.
    """
    name = made.__name__
    softmax = config.get("activation") == "softmax" and name == "Activation"
    if name not in TURNABLE or softmax:
        raise ValueError(f"{where} ({name}) takes channels first: what it does with them last is not known")
    if config.get("data_format") == "channels_last":
        raise ValueError(f"{where} takes channels last, others of the network first: not known")
    config = dict(config)
    if "data_format" in inspect.signature(made.__init__).parameters:
        config["data_format"] = "channels_last"
    if name in ("BatchNormalization", "Concatenate"):
        axis = config.get("axis", -1)
        if axis not in TURNED_AXIS:
            raise ValueError(f"{where}: its axis {axis} is not one of a picture's")
        config["axis"] = TURNED_AXIS[axis]
    return config
