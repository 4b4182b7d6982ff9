// Trains a small character model on a built-in text, saves it, loads it again and writes with it.
#include <longhand/longhand.h>
#include <iostream>

int main() try {
  using namespace longhand;
  tasks::LanguageModelOptions options{.lstm = {.hidden = 64}, .embed = 16};
  const std::string text(data::find_builtin("tale")->text.substr(0, 8000));
  const data::Vocabulary vocabulary = data::build_vocabulary(text, options.text);
  data::Corpus corpus = data::encode(text, options.text, vocabulary, data::Unknown::kError, "tale");

  kernels::Context context;  // all processors
  tasks::LanguageModel model(options, vocabulary);
  model.initialise(/*seed=*/1);
  tasks::LanguageModelTask task(model, corpus, /*valid=*/{}, {.groups = {.batch = 16, .seed = 1}, .bptt = 32}, context);
  io::make_folder("run");
  train::Trainer trainer(task, {.epochs = 5, .optimizer = {.learning_rate = 0.01}}, "run", context, {});
  const train::TrainResult result = trainer.run();
  std::cout << "loss after " << result.progress.epoch << " epochs: " << result.progress.loss() << " nats\n";

  const Generator generator(Model::load("run"));
  std::cout << "the model writes: ";
  generator.generate("The ", 60, {.temperature = 0.7},
                     [](const std::string& piece) { return static_cast<bool>(std::cout << piece << std::flush); });
  std::cout << "\n";
} catch (const longhand::Error& e) {
  std::cerr << "error: " << e.what() << "\n  " << e.advice() << "\n";
  return static_cast<int>(e.code());
}
