"""Optional packages: imported where they are used, with an error that names the extra."""

from __future__ import annotations

import importlib
from types import ModuleType


def import_optional(module: str, *, caller: str, extra: str) -> ModuleType:
    """Import an optional package, or say which extra installs it.

    Parameters
    ----------
    module : str
        Name of the module to import, e.g. ``"onnxruntime"``.
    caller : str
        What needs it, as the user wrote it, e.g. ``'AudioEmbedder(backend="onnx")'``.
    extra : str
        The extra of skxmodal that installs it.

    Returns
    -------
    module : module
        The imported module.

    Raises
    ------
    ImportError
        When the package is not installed or does not import.

    Examples
    --------
    >>> from skxmodal.utils import import_optional
    >>> import_optional("json", caller="this example", extra="none").dumps([1])
    '[1]'
    """
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        package = module.partition(".")[0].replace("_", "-")
        raise ImportError(f'{caller} needs {package}: pip install "skxmodal[{extra}]"') from error
    except ImportError as error:
        raise ImportError(
            f"{caller} needs {module}, which is installed but does not import ({error}); "
            f'try: pip install --upgrade "skxmodal[{extra}]"'
        ) from error
