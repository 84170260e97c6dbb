#!/usr/bin/env python3
"""talks.py - writes little conversations between a user and the storyteller: sums, facts of the world, tales on request and questions about them.

A talk is a list of (role, text); `chat` spells it the way the model's chat template does.

  talks.py [SEED]     prints one
"""
import random
import sys

from tale_world import ABILITIES, ANIMALS, COLOUR_OF, DAYS, DISHES, FOODS, NAMES, OPPOSITES, PLACES, RIDDLES, SEASONS
from tales import Tale, an, capital

SYSTEM = 'You are a friendly storyteller.'
HELLO = ['Hello!', 'Hi!', 'Good morning!', 'Hello there.', 'Hi, how are you?']
HELLO_BACK = ['Hello! What can I do for you?', 'Hello! Shall I tell you a story?', 'Hi! I am happy to see you.']
STORY = ['Tell me a story.', 'Please tell me a story.', 'Can you tell me a story?', 'I want to hear a story.', 'One more story, please.']


def hello(rng):
    return [rng.choice([(rng.choice(HELLO), rng.choice(HELLO_BACK)), ('Who are you?', 'I am a little storyteller. I live in a small file.'),
                        ('What can you do?', 'I can tell stories, do small sums, and talk about animals.'),
                        ('What is your name?', 'I have no name. I am only a little storyteller.'), ('Thank you!', 'You are welcome!'),
                        ('Goodbye!', 'Goodbye! Come back soon.'), ('How are you?', 'I am very well, thank you.')])]


def sums(rng):
    a, b = rng.randint(0, 10), rng.randint(0, 10)
    kind = rng.randrange(4)
    if kind == 0:
        return [(rng.choice([f'What is {a} plus {b}?', f'What is {a} + {b}?', f'How much is {a} plus {b}?']), f'{a} plus {b} is {a + b}.')]
    if kind == 1:
        a, b = max(a, b), min(a, b)
        return [(rng.choice([f'What is {a} minus {b}?', f'What is {a} - {b}?', f'How much is {a} minus {b}?']), f'{a} minus {b} is {a - b}.')]
    if kind == 2:
        return [(rng.choice([f'Which is bigger, {a} or {b}?', f'What is more, {a} or {b}?']), f'{max(a, b)} is bigger than {min(a, b)}.' if a != b else
                 f'They are the same.')]
    name, foods = rng.choice(NAMES['she'] + NAMES['he']), rng.choice(list(FOODS))
    a, b = a + 2, b + 1
    if b >= a or rng.random() < 0.5:
        return [(f'{name} has {a} {foods} and gets {b} more. How many {foods} does {name} have now?', f'{name} has {a + b} {foods}, because {a} plus {b} is {a + b}.')]
    return [(f'{name} has {a} {foods} and eats {b}. How many {foods} are left?', f'{a - b} {foods if a - b != 1 else FOODS[foods]} '
             + ('are' if a - b != 1 else 'is') + f' left, because {a} minus {b} is {a - b}.')]


def animals(rng):
    kind = rng.choice(list(ANIMALS))
    home, food, ability, sound, _ = ANIMALS[kind]
    do, _, reason = ABILITIES[ability]
    return [rng.choice([(f'Where does {an(kind)} live?', f'{capital(an(kind))} lives in {home}.'), (f'What does {an(kind)} eat?', f'{capital(an(kind))} likes to eat {food}.'),
                        (f'What can {an(kind)} do?', f'{capital(an(kind))} can {do}, because it has {reason}.'),
                        (f'What sound does {an(kind)} make?', f'{capital(an(kind))} {sound}.'), (f'Can {an(kind)} {do}?', f'Yes, {an(kind)} can {do}, because it has {reason}.')])]


def facts(rng):
    kind = rng.randrange(6)
    if kind == 0:
        word, other = rng.choice(list(OPPOSITES.items()))
        word, other = rng.choice([(word, other), (other, word)])
        return [(rng.choice([f'What is the opposite of {word}?', f'What is not {word}?']), f'The opposite of {word} is {other}.')]
    if kind == 1:
        thing, colour = rng.choice(list(COLOUR_OF.items()))
        return [(rng.choice([f'What colour is {thing}?', f'Which colour does {thing} have?']), f'{capital(thing)} is {colour}.')]
    if kind == 2:
        i = rng.randrange(7)
        return [rng.choice([(f'What day comes after {DAYS[i]}?', f'After {DAYS[i]} comes {DAYS[(i + 1) % 7]}.'),
                            (f'What day comes before {DAYS[i]}?', f'Before {DAYS[i]} comes {DAYS[i - 1]}.')])]
    if kind == 3:
        season, (after, sign) = rng.choice(list(SEASONS.items()))
        return [rng.choice([(f'What comes after {season}?', f'After {season} comes {after}.'), (f'What happens in {season}?', f'In {season} {sign}.')])]
    if kind == 4:
        question, answer = rng.choice(list(RIDDLES.items()))
        return [rng.choice([(question, f'It is {answer}.'), ('Tell me a riddle.', question), ('Do you know a riddle?', f'Yes. {question}')])]
    dish = rng.choice(list(DISHES))
    parts = [p for p, _ in DISHES[dish]]
    part, place = rng.choice(DISHES[dish])
    return [rng.choice([(f'What do I need for {dish}?', f'You need {parts[0]}, {parts[1]} and {parts[2]}.'), (f'Where do I get {part}?', f'You get {part} {PLACES[place][0]}.')])]


def story(rng):
    hero = rng.choice(list(ANIMALS) + ['girl', 'boy']) if rng.random() < 0.7 else None
    tale = Tale(rng, hero)
    ask = rng.choice([f'Tell me a story about {an(hero)}.', f'Can you tell me a story about {an(hero)}?', f'I want a story about {an(hero)}.']) if hero else rng.choice(STORY)
    return [(ask, tale.text().strip())] + rng.sample(tale.answers, rng.randint(0, min(3, len(tale.answers))))


def talk(seed):
    """[(role, text), ...]"""
    rng = random.Random(seed)
    out = [('system', SYSTEM)] if rng.random() < 0.3 else []
    turns = rng.choices([hello, sums, animals, facts, story], (1, 3, 2, 3, 3), k=rng.randint(1, 4))
    for question, answer in (pair for turn in turns for pair in turn(rng)):
        out += [('user', question), ('assistant', answer)]
    return out


def chat(messages):
    return ''.join(f'<|im_start|>{role}\n{text}<|im_end|>\n' for role, text in messages)


if __name__ == '__main__':
    print(chat(talk(sys.argv[1] if len(sys.argv) > 1 else random.randrange(10 ** 9))))
