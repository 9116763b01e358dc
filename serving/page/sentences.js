// What the page says of a drawing, in English; words of other languages stand as they are.

// Words of the data set that take no article, and endings in "s" that are no plural.
const WITHOUT_ARTICLE = new Set(
  (
    "animal migration,asparagus,broccoli,bread,camouflage,grass,lightning,rain,steak," +
    "toothpaste,underwear,yoga"
  ).split(","),
);
// A user's word that begins with one of these takes no article.
const DETERMINED = /^(an?|the|my|your|his|her|its|our|their|this|that|some) /i;
const SINGULAR = /(ss|us|bus|lens|canvas)$/;
const MAX_TRAIL = 3;

/** "a crab", "an ant", "The Mona Lisa", "scissors". */
export function withArticle(word) {
  const isPlural = word.endsWith("s") && !SINGULAR.test(word);
  if (!/^[a-z]/.test(word) || WITHOUT_ARTICLE.has(word) || isPlural || DETERMINED.test(word)) {
    return word;
  }
  return /^[aeio]|^hour|^u(?!n[iu]|ke|t)/.test(word) ? `an ${word}` : `a ${word}`;
}

/**
 * What to say while one draws.
 *
 * @param {{word: string|null, named: string[], isSure: boolean}} state as a `Namer` has it.
 * @returns {{trail: string, text: string}} what it took the drawing for before, and takes it for.
 */
export function sentence({ word, named, isSure }) {
  if (word === null) {
    return { trail: "", text: named.length ? "Hmm … now I am not so sure." : "Hmm … I have no idea yet." };
  }
  const before = named.slice(0, -1).slice(-MAX_TRAIL).map(withArticle);
  return {
    trail: before.length ? `I saw ${before.join(" … ")} …` : "",
    text: isSure ? `I know, it’s ${withArticle(word)}!` : `I see ${withArticle(word)}`,
  };
}
