// `completion bash|zsh|fish`: prints the completion script of a shell.
// Promises: output only; the script is made from the table of commands at hand.
// Leaves to others: the script itself (completion.ts).

import { chosen, type CommandSpec } from "../command.ts";
import { completionScript, shells } from "../completion.ts";

/** Made by a function, since it prints the table it is itself part of. */
export function completionCommand(all: () => readonly CommandSpec[]): CommandSpec {
  return {
    words: "completion",
    says: "Print the completion script of a shell",
    takes: [{ name: "shell", says: shells.join(", ") }],
    options: [],
    examples: [
      "signalbox completion bash >> ~/.bashrc",
      "signalbox completion zsh >> ~/.zshrc",
      "signalbox completion fish > ~/.config/fish/completions/signalbox.fish",
    ],
    act: async (call) => {
      const shell = chosen(call.argument(0), shells, "The shell");
      const script = completionScript(shell, all());
      call.screen.result({ shell, script }, () => call.screen.line(script.trimEnd()));
    },
  };
}
