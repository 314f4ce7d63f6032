"""What the papers say, where they say it, and how that was checked; nothing here is measured."""

from typing import NamedTuple


class Paper(NamedTuple):
    """A paper, the numbers taken from it, where they stand and against what they were checked."""

    name: str
    place: str
    numbers: dict
    checked: str


ENCODER = Paper(
    'D. Rumelhart, G. Hinton and R. Williams, "Learning internal representations by error '
    'propagation", in Parallel Distributed Processing, volume 1, 1986',
    "chapter 8, the encoding problem",
    {},
    "No number is taken from it: it shows a code that was learnt and counts no starts.",
)
LINEAR = Paper(
    'P. Baldi and K. Hornik, "Neural networks and principal component analysis: learning from '
    'examples without local minima", Neural Networks 2, 53-58, 1989',
    "the abstract's theorem",
    {},
    "Checked against the text of the abstract.",
)
DEEP = Paper(
    'G. Hinton and R. Salakhutdinov, "Reducing the dimensionality of data with neural networks", '
    "Science 313, 504-507, 2006",
    "the caption of figure 2, B and C",
    {
        "autoencoder": 3.00,
        "logistic PCA": 8.01,
        "PCA": 13.87,
        "faces, autoencoder": 126,
        "faces, PCA": 135,
    },
    "Checked against a transcription of the caption and of the paragraphs on the networks.",
)
DENOISING = Paper(
    'P. Vincent, H. Larochelle, I. Lajoie, Y. Bengio and P.-A. Manzagol, "Stacked denoising '
    'autoencoders", JMLR 11, 3371-3408, 2010',
    "table 3, rotated digits before pictures (bg-img-rot)",
    {"SDAE-3": 43.76, "SAE-3": 51.93},
    "As in notes on the paper that were read for this project, not in the paper itself.",
)
CONTRACTIVE = Paper(
    'S. Rifai, P. Vincent, X. Muller, X. Glorot and Y. Bengio, "Contractive auto-encoders: '
    'explicit invariance during feature extraction", ICML 2011, 833-840',
    "table 1, MNIST",
    {  # test error in percent after fine-tuning, average norm of the Jacobian in 1e-4
        "CAE": (1.14, 0.73),
        "DAE-g": (1.18, 0.86),
        "DAE-b": (1.57, 7.87),
        "AE+wd": (1.68, 5.00),
        "AE": (1.78, 17.5),
    },
    "As in a transcription of the table that was read for this project, not in the paper itself.",
)
VARIATIONAL = Paper(
    'D. Kingma and M. Welling, "Auto-encoding variational Bayes", ICLR 2014',
    "figures 2 and 3",
    {},
    "No number is taken from it: its results are curves.",
)
IMPORTANCE = Paper(
    'Y. Burda, R. Grosse and R. Salakhutdinov, "Importance weighted autoencoders", ICLR 2016',
    "table 1, MNIST, one stochastic layer: negative log-likelihood, estimated with 5,000 draws",
    {"VAE": 86.76, "IWAE 5": 85.54, "IWAE 50": 84.78},
    "Checked against the quotation in github.com/nbip/IWAE; what is said of the paper's network, "
    "epochs and data is checked against the authors' program, github.com/yburda/iwae.",
)
