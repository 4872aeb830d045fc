"""The official weight files: address, digest, licence. Free of torch.

The digests are of the downloaded bytes. Where an owner publishes none, the source of the digest
is named beside it.
"""

from __future__ import annotations

from skxmodal.datasets._remote import RemoteFile

_AUDIOSET = "https://storage.googleapis.com/audioset/"
_KERAS = "https://storage.googleapis.com/tensorflow/keras-applications/"
_TORCHVGGISH = "https://github.com/harritaylor/torchvggish/releases/download/v0.1/"
_OPENL3 = "https://github.com/marl/openl3/raw/models/"

# Git's SHA-1 of each blob on the branch "models" of marl/openl3, commit
# c2321e8c1e68213357431f1868380a0ef224ce03. The size of the embedding changes only the pooling,
# not the file.
_OPENL3_BLOBS = {
    "audio-linear-env": "7837407f033f3564c7e8d53fc4a4241fe160478b",
    "audio-linear-music": "4e2e61beb17865481c8b8791c72eac8307e2753a",
    "audio-mel128-env": "8c3dfee140f7776373841e5938a3e76c54f28942",
    "audio-mel128-music": "73ff29de441865318c4b3a3f98c40763c4773e7c",
    "audio-mel256-env": "34dbd7a91cdd2de6a3d6d036ac0a24d27d78e3cc",
    "audio-mel256-music": "15e483646fa3d4091a463f0affbb706e6bbbb098",
    "image-linear-env": "a1e527ad5367efb19b18cd051523bf3fadd02feb",
    "image-linear-music": "7ccfc16536bff5f46902df6d7f89075f1bfce8bb",
    "image-mel128-env": "680c5d4adffc2b0d7b789913a2e9ebccd469be55",
    "image-mel128-music": "c287c5f9bc949595ff4fda83177bcc98142601e9",
    "image-mel256-env": "dbdf24a7e837267487adb3eed1586fcd2e37d775",
    "image-mel256-music": "67bf0b891eb4fb797defafa5b3edc3c75f3cd6ee",
}

WEIGHTS: dict[str, RemoteFile] = {
    # Google publishes no digest; many independent public files pin this one and the size.
    "yamnet": RemoteFile(
        _AUDIOSET + "yamnet.h5",
        "sha256:13c3308955bbfaef262f175ac9c40e47b134573a93984f009220dd7cc12a1744",
        licence="Apache-2.0",
        size=15_296_092,
    ),
    # The MD5 sums that openmic-2018 (its file params.py) checks.
    "vggish": RemoteFile(
        _AUDIOSET + "vggish_model.ckpt",
        "md5:d1c7011e6366aa34176bb05c705e31a8",
        licence="Apache-2.0",
    ),
    "vggish-pca": RemoteFile(
        _AUDIOSET + "vggish_pca_params.npz",
        "md5:c80cae691033abe7c7ecd11ea39fc834",
        licence="Apache-2.0",
        size=73_020,
    ),
    # The same numbers as a torch-hub file, whose name carries the start of its SHA-256.
    "vggish-torch": RemoteFile(
        _TORCHVGGISH + "vggish-10086976.pth",
        "sha256-prefix:10086976",
        licence="Apache-2.0",
    ),
    # The MD5 sums of keras.applications (WEIGHTS_HASHES and file_hash in its source).
    "resnet50": RemoteFile(
        _KERAS + "resnet/resnet50_weights_tf_dim_ordering_tf_kernels_notop.h5",
        "md5:4d473c1dd8becc155b73f8504c6f6626",
        licence="MIT",
    ),
    "vgg16": RemoteFile(
        _KERAS + "vgg16/vgg16_weights_tf_dim_ordering_tf_kernels_notop.h5",
        "md5:6d6bbae143d832006294945121d1f1fc",
        licence="CC BY 4.0",
    ),
}
WEIGHTS.update(
    {
        f"openl3-{key}": RemoteFile(
            f"{_OPENL3}openl3_{key.replace('-', '_')}-v0_4_0.h5.gz",
            f"git-blob:{blob}",
            licence="CC BY 4.0",
        )
        for key, blob in _OPENL3_BLOBS.items()
    }
)
