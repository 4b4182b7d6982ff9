// Trains a small character model on a text in memory, loads it, and writes with it.
#include <longhand/longhand.h>

#include <iostream>

int main() try {
  std::string text;
  for (int day = 1; day <= 200; ++day) {
    text += "On day " + std::to_string(day) + " the river rose, and " +
            (day % 3 == 0 ? "the gauge fell silent" : "we read the gauge") + ".\n";
  }
  longhand::Training training(longhand::Task::kLanguageModel);
  training.add_data("diary", text);
  training.set("data", "diary");
  training.set("hidden", 64);
  training.set("embed", 16);
  training.set("epochs", 10);
  training.set("lr", 0.01);
  const longhand::TrainingResult result = training.run("run");
  std::cout << "loss after " << result.progress.epoch << " epochs: " << result.progress.loss << " nats\n";

  const longhand::Generator generator(longhand::Model::load("run"));
  std::cout << "the model writes: ";
  generator.generate("On day ", 60, {.temperature = 0.7},
                     [](const std::string& piece) { return static_cast<bool>(std::cout << piece << std::flush); });
  std::cout << "\n";
} catch (const longhand::Error& e) {
  std::cerr << "error: " << e.what() << "\n  " << e.advice() << "\n";
  return static_cast<int>(e.code());
}
