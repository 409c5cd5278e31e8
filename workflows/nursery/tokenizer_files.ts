/**
 * The nursery's vocabulary as a Hugging Face tokenizer, so that a trained policy is a complete
 * model folder.
 */
import { LONGEST_DIALOGUE } from "./dialogue.ts";
import { nurseryVocabulary, SPECIAL_TOKENS } from "./words.ts";

/**
 * Turns become `<user> ...` and `<assistant> ... <eos>` after one `<bos>`. Whatever is not the
 * assistant's (a system message too) is read as the user's, since the world knows two speakers.
 */
export const CHAT_TEMPLATE: string = "{{ bos_token }}{% for message in messages %}" +
  "{% if message['role'] == 'assistant' %} <assistant> {{ message['content'] }} {{ eos_token }}" +
  "{% else %} <user> {{ message['content'] }}{% endif %}{% endfor %}" +
  "{% if add_generation_prompt %} <assistant>{% endif %}";

/**
 * Content of `tokenizer.json`: a word-level model, lower case, split at blanks and around `. , : ?
 * !`. Those five are named instead of using a "punctuation" class, whose members differ between
 * implementations.
 */
export function tokenizerJson(): Record<string, unknown> {
  return {
    version: "1.0",
    truncation: null,
    padding: null,
    added_tokens: SPECIAL_TOKENS.map((content, id) => ({
      id,
      content,
      single_word: false,
      lstrip: false,
      rstrip: false,
      normalized: false,
      special: true,
    })),
    normalizer: { type: "Lowercase" },
    pre_tokenizer: {
      type: "Sequence",
      pretokenizers: [
        { type: "WhitespaceSplit" },
        { type: "Split", pattern: { Regex: "[.,:?!]" }, behavior: "Isolated", invert: false },
      ],
    },
    post_processor: null,
    decoder: null,
    model: {
      type: "WordLevel",
      vocab: Object.fromEntries(nurseryVocabulary.map((word, id) => [word, id])),
      unk_token: "<unk>",
    },
  };
}

/** Content of `tokenizer_config.json`, with the chat template. */
export function tokenizerConfig(): Record<string, unknown> {
  return {
    tokenizer_class: "PreTrainedTokenizerFast",
    pad_token: "<pad>",
    bos_token: "<bos>",
    eos_token: "<eos>",
    unk_token: "<unk>",
    clean_up_tokenization_spaces: false,
    model_max_length: LONGEST_DIALOGUE,
    chat_template: CHAT_TEMPLATE,
  };
}
