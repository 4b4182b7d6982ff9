#include "longhand/data/datasets.h"

namespace longhand::data {

int64_t DataSet::bytes() const {
  int64_t sum = 0;
  for (const DataFile& file : files) sum += file.bytes;
  return sum;
}

std::string DataSet::url(const DataFile& file, const std::string& base) const {
  return base + "/" + repository + "/" + commit + "/" + file.path;
}

const std::vector<DataSet>& data_sets() {
  static const std::vector<DataSet> kSets = {
      {.name = "timemachine",
       .description = "The Time Machine (H. G. Wells 1895)",
       .license = "public domain",
       .task = "lm",
       .repository = "d2l-ai/d2l-zh",
       .commit = "592fbef84a684e752393edbf267c07dbc53e082b",
       .files = {{"train", "data/timemachine.txt", 178979,
                  "8424dbd9532ac81f7e5f0b6add90e6952baea29158309d7d1bf3884f4e12c516"}}},
      {.name = "tinyshakespeare",
       .description = "plays of Shakespeare",
       .license = "public domain",
       .task = "lm",
       .repository = "karpathy/char-rnn",
       .commit = "6f9487a6fe5b420b7ca9afb0d7c078e37c1d1b4e",
       .files = {{"train", "data/tinyshakespeare/input.txt", 1115394,
                  "86c4e6aa9db7c042ec79f339dcb96d42b0075e16b8fc2e86bf0ca57e2dc565ed"}}},
      {.name = "tang-small",
       .description = "Tang poems from a university course, one per line, 16,623 characters",
       .license = "public domain",
       .task = "lm",
       .repository = "FDUCSLG/PRML-2019Spring-FDU",
       .commit = "f47c722a696d63def120aa039f43c342356f9040",
       .files = {{"train", "assignment-3/handout/tangshi.txt", 48121,
                  "56a5adbd9b60acdf1b712cb7761aaf85688c29c38cefa5b5f0b0be643a6c01eb"}}},
      {.name = "ud-english-ewt",
       .description = "Universal Dependencies: English Web Treebank",
       .license = "CC BY-SA 4.0",
       .task = "tagger",
       .repository = "UniversalDependencies/UD_English-EWT",
       .commit = "15d613d8447b3478787d4c278730a1e48a945efb",
       .files = {{"train", "en_ewt-ud-train.conllu", 14203025,
                  "3fb78e2b55482c8ee00caa653af436c88c9e5bc9a73ce26e4ae3ddc79d2b7e7b"},
                 {"valid", "en_ewt-ud-dev.conllu", 1805545,
                  "531a54ff90d6ab12201c5a50c3e78e6ddac4de69abc4bce5d275d3cd29efe2b6"},
                 {"test", "en_ewt-ud-test.conllu", 1804515,
                  "e266e515a0a7547657ed3d90d9ba46487d6bd251f27ad4269d4e8a427c8555cd"}}},
      {.name = "ud-afrikaans-afribooms",
       .description = "Universal Dependencies: Afrikaans",
       .license = "CC BY-SA 4.0",
       .task = "tagger",
       .repository = "UniversalDependencies/UD_Afrikaans-AfriBooms",
       .commit = "a6dd726120c8bf1a0f8fb40f6a9ca15e880a192a",
       .files = {{"train", "af_afribooms-ud-train.conllu", 2125618,
                  "5dfd07a87750b4b535eca5a4b4254352d2d40fbdd3fc1a9d332e62cec0f0c05f"},
                 {"valid", "af_afribooms-ud-dev.conllu", 329125,
                  "9be338cd501863631e03c123be2399e32b3d845d91347e5d6aa10c76254fbb49"},
                 {"test", "af_afribooms-ud-test.conllu", 633159,
                  "e41f9111795ea733f91a93787e76a3191a088c213375c50f8ec6a9597a94e967"}}},
      {.name = "wnut17",
       .description = "WNUT 2017: emerging entities in social media",
       .license = "CC BY 4.0",
       .task = "tagger",
       .repository = "leondz/emerging_entities_17",
       .commit = "e52a2d2a71ac1a051ca2d532eef28653c5c02603",
       .files = {{"train", "wnut17train.conll", 493781,
                  "731820e13f71af324c6b55a1575ec2ce59fbaa2a0806f8f0400b98d56cd6a7a5"},
                 {"valid", "emerging.dev.conll", 114749,
                  "e053b752b8155113ca66e7db08af5f2f5f43ab993694e4774f1ec5bad42312d8"},
                 {"test", "emerging.test.annotated", 192425,
                  "2aa79b764e56ec9264a1b30fdd9b70195bd00ff400b62edd8f399d5f13c178f0"}}},
      {.name = "trec",
       .description = "TREC question classification (Li and Roth 2002)",
       .license = "none stated",
       .task = "classifier",
       .repository = "harvardnlp/sent-conv-torch",
       .commit = "d61ded09c99c0199d8c5bca946cd65864de2b296",
       .files = {{"train", "data/raw/TREC.train", 335859,
                  "016243a7ddb380241c94eabcf073a210b9a83a2e772347cb5ed844722a192faf"},
                 {"test", "data/raw/TREC.test", 23354,
                  "033f22c028c2bbba9ca682f68ffe204dc1aa6e1cf35dd6207f2d4ca67f0d0e8e"}}},
      {.name = "movie-reviews",
       .description = "snippets of film reviews (Pang and Lee 2005)",
       .license = "none stated",
       .task = "classifier",
       .repository = "harvardnlp/sent-conv-torch",
       .commit = "d61ded09c99c0199d8c5bca946cd65864de2b296",
       .files = {{"pos", "data/raw/rt-polarity.pos", 626342,
                  "e03bf6a67c21d525874adf395ee0b0308ddc820484c98f378598e7f40ad10775"},
                 {"neg", "data/raw/rt-polarity.neg", 612428,
                  "36a4a439d400f53654d6cd40d4117c1fe2e517a940d38be8529737f176500ce9"}}},
      {.name = "etth1",
       .description = "Electricity Transformer Temperature, hourly (Zhou et al. 2021)",
       .license = "CC BY-ND 4.0",
       .task = "regressor",
       .repository = "zhouhaoyi/ETDataset",
       .commit = "1d16c8f4f943005d613b5bc962e9eeb06058cf07",
       .files = {{"train", "ETT-small/ETTh1.csv", 2589657,
                  "f18de3ad269cef59bb07b5438d79bb3042d3be49bdeecf01c1cd6d29695ee066"}}},
      {.name = "sunspots",
       .description = "monthly sunspots, 1749 to 1983",
       .license = "none stated",
       .task = "regressor",
       .repository = "jbrownlee/Datasets",
       .commit = "d20fcb6402ae34e653d4513b00f39257bb37ed7f",
       .files = {{"train", "monthly-sunspots.csv", 42220,
                  "ff226adbfc8d727802f4345317f49d5461aa37ea5c9826076205c06aa9fa44c0"}}},
      {.name = "min-temperatures",
       .description = "daily minimum temperatures, Melbourne 1981 to 1990",
       .license = "none stated",
       .task = "regressor",
       .repository = "jbrownlee/Datasets",
       .commit = "d20fcb6402ae34e653d4513b00f39257bb37ed7f",
       .files = {{"train", "daily-min-temperatures.csv", 64272,
                  "a31a6961536b0e48a1f8c886d91eb4de50e6747ea5cd5d2d45a8a5039068e406"}}},
      {.name = "airline-passengers",
       .description = "monthly airline passengers, 1949 to 1960",
       .license = "none stated",
       .task = "regressor",
       .repository = "jbrownlee/Datasets",
       .commit = "d20fcb6402ae34e653d4513b00f39257bb37ed7f",
       .files = {{"train", "airline-passengers.csv", 2037,
                  "b9592eb55781ef29ed40a7e4aa36abf425e9fca9c2ee3de440fd25f746ea92b6"}}},
  };
  return kSets;
}

const DataSet* find_data_set(std::string_view name) {
  for (const DataSet& set : data_sets()) {
    if (set.name == name) return &set;
  }
  return nullptr;
}

}  // namespace longhand::data
