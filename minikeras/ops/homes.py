"""Where Keras's own modules define the operations: what saved models name."""

from minikeras.engine.registry import operations

# All others are in `numpy`.
_HOMES = {
    "core": (
        "AssociativeScan Cast Cond ConvertToTensor ForiLoop Map SaturateCast Scan Scatter"
        " ScatterUpdate Slice SliceUpdate StopGradient Switch Unstack VectorizedMap WhileLoop"
    ),
    "nn": (
        "AdaptiveAveragePool AdaptiveMaxPool AveragePool BatchNorm BinaryCrossentropy CTCDecode"
        " CTCLoss CategoricalCrossentropy Celu Conv ConvTranspose DepthToSpace DepthwiseConv"
        " DotProductAttention Elu Fold Gelu Glu HardShrink HardSigmoid HardSilu HardTanh LayerNorm"
        " LeakyRelu LogSigmoid LogSoftmax MaxPool Moments MultiHot Normalize OneHot PSNR Polar"
        " RMSNorm Relu Relu6 Selu SeparableConv Sigmoid Silu SoftShrink Softmax Softplus Softsign"
        " SpaceToDepth SparseCategoricalCrossentropy SparsePlus SparseSigmoid Sparsemax Squareplus"
        " TanhShrink Threshold Unfold"
    ),
    "linalg": (
        "Cholesky CholeskyInverse Det Eig Eigh Inv Lstsq LuFactor MatrixRank Norm Pinv Qr SVD"
        " Solve SolveTriangular"
    ),
    "math": (
        "CDist Erf Erfc Erfinv ExtractSequences FFT FFT2 IFFT2 IRFFT ISTFT InTopK Logdet Logsumexp"
        " RFFT Rsqrt STFT SegmentMax SegmentMin SegmentProd SegmentSum TopK ViewAsComplex"
        " ViewAsReal"
    ),
    "image": (
        "AffineTransform CropImages ElasticTransform ExtractPatches GaussianBlur HSVToRGB"
        " MapCoordinates PadImages PerspectiveTransform RGBToGrayscale RGBToHSV Resize SSIM"
        " ScaleAndTranslate SobelEdges"
    ),
    "einops": "Rearrange",
}


def settle() -> None:
    """Tell every operation registered so far its home."""
    homes = {name: home for home, names in _HOMES.items() for name in names.split()}
    for name, kind in operations.objects().items():
        if "_keras_module" not in kind.__dict__:
            kind._keras_module = f"keras.src.ops.{homes.get(name, 'numpy')}"
