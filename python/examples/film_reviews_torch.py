"""Classifies film reviews: a PyTorch training script of the usual kind, in which one line was changed.

    python3 python/examples/film_reviews_torch.py --data DIR [--lstm pytorch] [--epochs 3] [--threads 2]

DIR has `rt-polarity.pos` and `rt-polarity.neg`, one review a line (Pang and Lee 2005). With `--lstm pytorch` the script
is what it was before: the losses are the same but for rounding.
"""

import argparse
import collections
import pathlib
import random
import time

import torch
from torch import nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_sequence

import longhand.torch

LSTM = longhand.torch.LSTM  # the changed line: it was nn.LSTM


class Reviews(torch.utils.data.Dataset):
    def __init__(self, examples, vocabulary):
        self.items = [(torch.tensor([vocabulary.get(w, 1) for w in words]), label) for words, label in examples]

    def __len__(self):
        return len(self.items)

    def __getitem__(self, i):
        return self.items[i]


def collate(items):
    texts, labels = zip(*items)
    lengths = torch.tensor([len(t) for t in texts])
    return pad_sequence(texts, batch_first=True), lengths, torch.tensor(labels)


class Classifier(nn.Module):
    def __init__(self, words, embed=128, hidden=128):
        super().__init__()
        self.embedding = nn.Embedding(words, embed, padding_idx=0)
        self.dropout = nn.Dropout(0.5)
        self.lstm = LSTM(embed, hidden, batch_first=True, bidirectional=True)
        self.linear = nn.Linear(2 * hidden, 2)

    def forward(self, text, lengths):
        x = pack_padded_sequence(self.dropout(self.embedding(text)), lengths, batch_first=True, enforce_sorted=False)
        _, (h, _) = self.lstm(x)
        return self.linear(self.dropout(torch.cat([h[0], h[1]], dim=1)))


def read(folder):
    examples = []
    for name, label in (("rt-polarity.pos", 1), ("rt-polarity.neg", 0)):
        lines = (pathlib.Path(folder) / name).read_text(encoding="utf-8").splitlines()
        examples += [(line.split(), label) for line in lines if line.split()]
    random.Random(1).shuffle(examples)
    cut = len(examples) // 10
    counts = collections.Counter(word for words, _ in examples[cut:] for word in words)
    vocabulary = {word: i + 2 for i, (word, n) in enumerate(counts.most_common()) if n > 1}  # 0: padding, 1: unknown
    return Reviews(examples[cut:], vocabulary), Reviews(examples[:cut], vocabulary), len(vocabulary) + 2


def accuracy(model, loader):
    model.eval()
    right = total = 0
    with torch.no_grad():
        for text, lengths, labels in loader:
            right += (model(text, lengths).argmax(1) == labels).sum().item()
            total += len(labels)
    return 100.0 * right / total


def main():
    global LSTM
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data", default="../shared/data/mr_rt_polarity")
    parser.add_argument("--lstm", choices=["longhand", "pytorch"], default="longhand")
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    options = parser.parse_args()
    if options.lstm == "pytorch":
        LSTM = nn.LSTM
    torch.set_num_threads(options.threads)
    torch.manual_seed(1)
    train, valid, words = read(options.data)
    loader = torch.utils.data.DataLoader(train, batch_size=64, shuffle=True, collate_fn=collate)
    held_out = torch.utils.data.DataLoader(valid, batch_size=256, collate_fn=collate)
    model = Classifier(words)
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    for epoch in range(1, options.epochs + 1):
        model.train()
        start, losses = time.perf_counter(), 0.0
        for text, lengths, labels in loader:
            optimizer.zero_grad()
            loss = nn.functional.cross_entropy(model(text, lengths), labels)
            loss.backward()
            nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
            losses += loss.item() * len(labels)
        seconds = time.perf_counter() - start
        print(f"epoch {epoch}  loss {losses / len(train):.5f}  accuracy {accuracy(model, held_out):.1f}%  {seconds:.1f} s",
              flush=True)


if __name__ == "__main__":
    main()
